/* The text of a PDF, by pdftotext in a child that reaches nothing (fcgi/child.h). Of this room. */
#ifndef LW_KNOWLEDGE_PDF_H
#define LW_KNOWLEDGE_PDF_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* What readers go by: %PDF- within the first 1024 bytes, whatever stands before it. */
bool pdf_is(struct str file);
/*
 * Puts the text, tidied (passage.h), into the empty buffer `text`. ERR_PDF_UNREADABLE, _ENCRYPTED, _TOO_LARGE, _TIMEOUT
 * and _NO_TEXT are about the file; ERR_PDF_READER_AWAY, ERR_IO and ERR_NO_MEMORY about this machine.
 */
enum err pdf_text(struct str file, struct buf *text) MUST_CHECK;

#endif
