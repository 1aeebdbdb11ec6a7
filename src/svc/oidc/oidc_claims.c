/* SPDX-License-Identifier: ISC */
/*
 * What ID tokens say (OpenID Connect Core 1.0, section 3.1.3.7), and names for new accounts. Pure functions.
 */
#include "db/repo/name.h"
#include "leaf.h"
#include "svc/oidc/oidc_int.h"
#include "text.h"

#define SUBJECT_MAX 255
#define EMAIL_MAX 254
#define SHOWN_MAX 100			/* characters of a display name */
#define TIME_MAX 253402300799LL		/* the year 9999 */

/* Is the client an audience? *others_r: there are more. */
static bool is_audience(const struct pl_jval *aud, struct pl_str client_id, bool *others_r)
{
	bool found = false;

	*others_r = false;
	if (aud == NULL || aud->type != PL_J_ARRAY)
		return pl_str_eq(pl_json_str(aud), client_id);
	for (const struct pl_jval *v = aud->first; v != NULL; v = v->next) {
		if (pl_str_eq(pl_json_str(v), client_id))
			found = true;
		else
			*others_r = true;
	}
	return found;
}

/* A point in time; some providers write fractions. false: absent or wrong. */
static bool time_of(const struct pl_jval *claims, const char *name, double *seconds_r)
{
	return pl_json_f64(pl_json_get(claims, name), seconds_r) && *seconds_r > 0 && *seconds_r <= TIME_MAX;
}

static const char *time_fault(const struct pl_jval *claims, int64_t now_s)
{
	double at;

	if (!time_of(claims, "exp", &at))
		return "it has no time of expiry (exp)";
	if (at <= (double)(now_s - OIDC_SKEW_S))
		return "it has expired (exp)";
	if (!time_of(claims, "iat", &at))
		return "it has no time of issue (iat)";
	if (at > (double)(now_s + OIDC_SKEW_S))
		return "it was issued in the future (iat); compare the clocks of the two hosts";
	if (pl_json_get(claims, "nbf") != NULL && (!time_of(claims, "nbf", &at) || at > (double)(now_s + OIDC_SKEW_S)))
		return "it is not valid yet (nbf); compare the clocks of the two hosts";
	return NULL;
}

const char *oidc_claims_fault(const struct pl_jval *claims, const struct oidc_expected *expected)
{
	struct pl_str nonce = pl_json_str(pl_json_get(claims, "nonce")), sub = pl_json_str(pl_json_get(claims, "sub"));
	const struct pl_jval *azp = pl_json_get(claims, "azp");
	bool others;

	if (!pl_str_eq(pl_json_str(pl_json_get(claims, "iss")), expected->issuer))
		return "it is from another issuer (iss)";
	if (!is_audience(pl_json_get(claims, "aud"), expected->client_id, &others))
		return "it is for another client (aud)";
	if (azp == NULL ? others : !pl_str_eq(pl_json_str(azp), expected->client_id))
		return "it was issued to another client (azp)";
	if (nonce.ptr == NULL || !pl_ct_eq(nonce.ptr, nonce.len, expected->nonce.ptr, expected->nonce.len))
		return "it is of another sign-in (nonce)";
	if (sub.ptr == NULL || sub.len < 1 || sub.len > SUBJECT_MAX)
		return "it has no subject of 1 to 255 bytes (sub)";
	return time_fault(claims, expected->now_s);
}

/* Booleans, and the text "true", which some providers send. */
static bool is_true(const struct pl_jval *value)
{
	return value != NULL && (value->type == PL_J_BOOL ? value->truth : pl_str_is(pl_json_str(value), "true"));
}

static struct pl_str shown_name(struct pl_pool *pool, struct pl_str name)
{
	if (name.ptr == NULL)
		return PL_STR_NONE;
	name = pl_text_trim(pl_text_nfc(pool, name));
	if (name.len == 0 || pl_utf8_count(name.ptr, name.len) > SHOWN_MAX || pl_text_label_fault(pool, name) != NULL)
		return PL_STR_NONE;
	return name;
}

/* The part before an @, with valid characters only; absent if that is not a name. */
static struct pl_str clean_name(struct pl_pool *pool, struct pl_str text)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_str name, part;

	if (!pl_str_cut(&text, '@', &part))
		return PL_STR_NONE;
	for (size_t i = 0; i < part.len && out.len < NAME_MAX_BYTES; i++) {
		if (name_char(part.ptr[i]))
			pl_buf_addc(&out, part.ptr[i]);
		else if (out.len > 0 && out.ptr[out.len - 1] != '-' && (unsigned char)part.ptr[i] < 0x80)
			pl_buf_addc(&out, '-');
	}
	name = pl_buf_str(&out);
	while (name.len > 0 && strchr("._-", name.ptr[name.len - 1]) != NULL)
		name.len--;
	while (name.len > 0 && strchr("._-", name.ptr[0]) != NULL)
		name = pl_strn(name.ptr + 1, name.len - 1);
	return name_fault(name) == NULL ? name : PL_STR_NONE;
}

struct pl_str oidc_username(struct pl_pool *pool, struct pl_str preferred, struct pl_str email, struct pl_str name)
{
	const struct pl_str from[] = { preferred, email, name };

	for (size_t i = 0; i < PL_COUNT(from); i++) {
		struct pl_str found = clean_name(pool, from[i]);

		if (found.ptr != NULL)
			return found;
	}
	return PL_STR("newcomer");
}

/* A text from the ID token, else from the reply of the userinfo endpoint. */
static struct pl_str claim(const struct pl_jval *claims, const struct pl_jval *more, const char *name)
{
	struct pl_str text = pl_json_str(pl_json_get(claims, name));

	return text.ptr != NULL ? text : pl_json_str(pl_json_get(more, name));
}

void oidc_claims_person(struct pl_pool *pool, const struct pl_jval *claims, const struct pl_jval *more,
    struct oidc_person *person)
{
	const struct pl_jval *with_email = pl_json_get(claims, "email") != NULL ? claims : more;
	struct pl_str email = pl_json_str(pl_json_get(with_email, "email"));

	person->subject = pl_json_str(pl_json_get(claims, "sub"));
	if (email.ptr != NULL && email.len <= EMAIL_MAX && pl_email_ok(email)) {
		person->email = email;
		person->email_verified = is_true(pl_json_get(with_email, "email_verified"));
	}
	person->name = shown_name(pool, claim(claims, more, "name"));
	person->username = oidc_username(pool, claim(claims, more, "preferred_username"), person->email,
	    claim(claims, more, "name"));
}
