/*
 * Runs a fuzz target over its corpus, once each file, in `make check`.
 *
 * fuzz_<x> reads $srcdir/tests/fuzz/corpus/<x>/; files named on the command line are run instead. An empty
 * corpus fails, because then nothing was tested.
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 << 20 };

static int run_file(const char *path)
{
	/* Exactly as large as the input, so that AddressSanitizer sees a read past its end. */
	uint8_t *data = NULL;
	long size = -1;
	int ok = 0;
	FILE *file = fopen(path, "rb");

	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size >= 0 && size <= INPUT_MAX && fseek(file, 0, SEEK_SET) == 0)
		data = malloc(size ? (size_t)size : 1);
	if (data && fread(data, 1, (size_t)size, file) == (size_t)size) {
		(void)LLVMFuzzerTestOneInput(data, (size_t)size);
		ok = 1;
	}
	if (!ok)
		fprintf(stderr, "cannot read %s\n", path);
	free(data);
	if (file)
		(void)fclose(file);
	return ok;
}

static int run_corpus(const char *program, unsigned *passed, unsigned *failed)
{
	const char *base = strrchr(program, '/');
	const char *srcdir = getenv("srcdir");
	char directory[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	DIR *dir;

	base = base ? base + 1 : program;
	if (strncmp(base, "fuzz_", 5) == 0)
		base += 5;
	(void)snprintf(directory, sizeof(directory), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", base);
	dir = opendir(directory);
	if (!dir) {
		fprintf(stderr, "no corpus at %s\n", directory);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (run_file(path))
			(*passed)++;
		else
			(*failed)++;
	}
	(void)closedir(dir);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	if (argc > 1) {
		for (int i = 1; i < argc; i++) {
			if (run_file(argv[i]))
				passed++;
			else
				failed++;
		}
	} else if (!run_corpus(argv[0], &passed, &failed) || passed + failed == 0) {
		failed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
