/* DER by Nettle's iterator, which accepts definite, shortest lengths only. */
#include "crypt/der.h"

#include <nettle/asn1.h>

static struct str contents(const struct asn1_der_iterator *i)
{
	return (struct str){ (const char *)i->data, i->length };
}

/* Enters the SEQUENCE that `der` is, with nothing behind it; at its first element then. */
static bool enter_sequence(struct str der, struct asn1_der_iterator *i)
{
	enum asn1_iterator_result at = asn1_der_iterator_first(i, der.n, (const uint8_t *)der.p);

	if (at != ASN1_ITERATOR_CONSTRUCTED || i->type != ASN1_SEQUENCE)
		return false;
	at = asn1_der_decode_constructed_last(i);
	return at == ASN1_ITERATOR_PRIMITIVE || at == ASN1_ITERATOR_CONSTRUCTED;
}

/* AlgorithmIdentifier: an OBJECT IDENTIFIER, and another, NULL or nothing. */
static bool algorithm_read(struct asn1_der_iterator *i, struct der_key_info *info)
{
	struct asn1_der_iterator inner;
	enum asn1_iterator_result at;

	if (i->type != ASN1_SEQUENCE ||
	    asn1_der_decode_constructed(i, &inner) != ASN1_ITERATOR_PRIMITIVE ||
	    inner.type != ASN1_IDENTIFIER)
		return false;
	info->algorithm = contents(&inner);
	info->parameters = STR_NONE;
	at = asn1_der_iterator_next(&inner);
	if (at == ASN1_ITERATOR_END)
		return true;
	if (at != ASN1_ITERATOR_PRIMITIVE)
		return false;
	if (inner.type == ASN1_IDENTIFIER)
		info->parameters = contents(&inner);
	else if (inner.type != ASN1_NULL || inner.length != 0)
		return false;
	return asn1_der_iterator_next(&inner) == ASN1_ITERATOR_END;
}

bool der_key_info(struct str der, struct der_key_info *ret_info)
{
	struct asn1_der_iterator i;

	if (!enter_sequence(der, &i) || !algorithm_read(&i, ret_info))
		return false;
	if (asn1_der_iterator_next(&i) != ASN1_ITERATOR_PRIMITIVE || i.type != ASN1_BITSTRING)
		return false;
	ret_info->key = contents(&i);
	/* The first byte counts the unused bits of the last one. */
	if (ret_info->key.n < 2 || ret_info->key.p[0] != 0)
		return false;
	ret_info->key = str_slice(ret_info->key, 1, ret_info->key.n);
	return asn1_der_iterator_next(&i) == ASN1_ITERATOR_END;
}

/* A positive INTEGER in its shortest form, without the zero that keeps it positive. */
static bool integer_read(const struct asn1_der_iterator *i, struct str *ret_bytes)
{
	struct str bytes = contents(i);

	if (i->type != ASN1_INTEGER || bytes.n == 0 || (bytes.p[0] & 0x80) != 0)
		return false;
	if (bytes.p[0] == 0) {
		if (bytes.n < 2 || (bytes.p[1] & 0x80) == 0)
			return false;
		bytes = str_slice(bytes, 1, bytes.n);
	}
	*ret_bytes = bytes;
	return true;
}

bool der_integer_pair(struct str der, struct str *ret_first, struct str *ret_second)
{
	struct asn1_der_iterator i;

	return enter_sequence(der, &i) && integer_read(&i, ret_first) &&
	       asn1_der_iterator_next(&i) == ASN1_ITERATOR_PRIMITIVE &&
	       integer_read(&i, ret_second) && asn1_der_iterator_next(&i) == ASN1_ITERATOR_END;
}
