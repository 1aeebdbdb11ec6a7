/* SPDX-License-Identifier: ISC */
/*
 * What requests contain to confirm a sensitive act (svc/account/confirm.h).
 */
#ifndef API_CONFIRM_SHAPE_H
#define API_CONFIRM_SHAPE_H

#include "api/http/request.h"
#include "svc/account/confirm.h"

/* Of the fields of a body, absent: not given. false: 422 was sent, because both codes were given. */
bool confirm_of(struct request *request, const char *loc_password, struct pl_str password, struct pl_str code,
    struct pl_str recovery_code, struct confirm_given *given_r) PL_MUSTCHECK;
/*
 * Of the headers X-Current-Password (base64url) and X-Mfa-Code, for requests without a body. false: 422 was sent,
 * because a header is invalid.
 */
bool confirm_of_headers(struct request *request, struct confirm_given *given_r) PL_MUSTCHECK;

#endif
