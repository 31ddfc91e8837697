// PDFs written by hand: good ones, and those that somebody sends who means no good.
import zlib from "node:zlib";

const HEAD = "%PDF-1.4\n";

/** Objects 1, 2, ... (texts, or [dictionary, Buffer] for streams) as a file whose root is the first. */
function fileOf(objects, trailer = "") {
  const pieces = [Buffer.from(HEAD)], offsets = [];
  let at = HEAD.length;
  const add = (bytes) => {
    pieces.push(bytes);
    at += bytes.length;
  };
  objects.forEach((object, i) => {
    offsets.push(at);
    const [words, stream] = Array.isArray(object) ? object : [object];
    add(Buffer.from(`${i + 1} 0 obj\n${words}\n`));
    if (stream)
      add(Buffer.concat([Buffer.from("stream\n"), stream, Buffer.from("\nendstream\n")]));
    add(Buffer.from("endobj\n"));
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const start = at;
  add(Buffer.from(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${trailer} >>\n` +
    `startxref\n${start}\n%%EOF\n`));
  return Buffer.concat(pieces);
}

const streamOf = (bytes, more = "") => [`<< /Length ${bytes.length} ${more} >>`, bytes];
/** What lies outside of the page isn't text of it. */
const shown = (text, size = 12) => Buffer.from(`BT /F1 ${size} Tf ${size + 1} TL 36 760 Td ${text.split("\n").map((line) => `(${line.replace(/[()\\]/g, "\\$&")}) Tj T*`).join(" ")} ET`);

/** As many pages as there are references to contents (texts for one page each, or numbers of objects from 4 on). */
function withPages(contents, streams, trailer) {
  const first = 4 + streams.length, numbers = contents.map((_, i) => `${first + i} 0 R`);
  return fileOf([
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Kids [${numbers.join(" ")}] /Count ${contents.length} >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ...streams,
    ...contents.map((content) => `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${content} /Resources << /Font << /F1 3 0 R >> >> >>`),
  ], trailer);
}

export const pdf = (...pages) => withPages(pages.map((_, i) => `${4 + i} 0 R`), pages.map((text) => streamOf(shown(text))));
/** That many pages, all with the same text. */
export const longPdf = (pages, text, size) => withPages(Array(pages).fill("4 0 R"), [streamOf(shown(text, size))]);
export const emptyPdf = () => withPages(["4 0 R"], [streamOf(Buffer.from("q Q"))]);
export const brokenPdf = () => Buffer.from(`${HEAD}1 0 obj\n<< /Type /Catalog /Pages 99 0 R`);
/** Nobody knows its password. */
export const lockedPdf = () => withPages(["4 0 R"], [streamOf(shown("locked"))],
  `/ID [<${"00".repeat(16)}> <${"00".repeat(16)}>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <${"11".repeat(32)}> /U <${"22".repeat(32)}> >>`);
/** Some hundred KiB that mean hours of computing: one page that shows the same 16 MiB of instructions again and again. */
export function endlessPdf() {
  const packed = zlib.deflateSync(Buffer.alloc(16 << 20, "q 1 0 0 1 0 0 cm Q\n"));
  return withPages([`[${Array(20000).fill("4 0 R").join(" ")}]`], [streamOf(packed, "/Filter /FlateDecode")]);
}

/** multipart/form-data: [{name, filename, type, value}]; {body, headers}. */
export function formOf(parts, boundary = "----a-boundary-0123456789") {
  const pieces = parts.map(({ name, filename, type, value }) => Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? "" : `; filename="${filename}"`}\r\n` +
      `${type ? `Content-Type: ${type}\r\n` : ""}\r\n`), Buffer.from(value), Buffer.from("\r\n")]));
  return { body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]), headers: { "Content-Type": `multipart/form-data; boundary=${boundary}` } };
}

/** An upload as browsers send it. */
export const uploadOf = (file, { filename = "file.pdf", title } = {}) =>
  formOf([...(title === undefined ? [] : [{ name: "title", value: title }]), { name: "file", filename, type: "application/pdf", value: file }]);
