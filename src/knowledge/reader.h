/*
 * Reading a page in a child that reaches nothing (fcgi/child.h): what strangers wrote meets a parser far from keys and
 * database, and a page that would take it hours takes it seconds. The child is this program once more.
 */
#ifndef LW_KNOWLEDGE_READER_H
#define LW_KNOWLEDGE_READER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* The program's first argument that makes it that child; the second is the character set, or "". */
#define READER_OPTION "--read-page"

/* What the child does: the page comes from standard input, title and text go to standard output. Its exit status. */
int reader_main(const char *charset);
/*
 * html_text by way of the child, of a program that calls reader_main for READER_OPTION. Besides its errors:
 * ERR_PAGE_UNREADABLE: it takes too long, or too much memory. ERR_NOT_READY: no child can be confined here. ERR_IO.
 */
enum err reader_text(struct str page, struct str charset, struct buf *title, struct buf *text) MUST_CHECK;

#endif
