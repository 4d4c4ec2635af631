
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * What comes with a certificate request besides its template: controls and
 * regInfo of a CertReqMsg (RFC 4211, 6 and 7), attributes of a PKCS#10.
 */


#include <cmp_exchange_local.h>


#define CMP_MAX_REG_TOKEN      256         /* octets of UTF-8 */


static int cmp_control_known(cmp_exchange_t *ex, cmp_request_t *req,
    const cmp_attribute_type_and_value_t *control, cmp_refusal_t *refusal);
static int cmp_control_publication(
    const cmp_attribute_type_and_value_t *control, cmp_refusal_t *refusal);
static int cmp_control_attributes(cmp_request_t *req, cmp_refusal_t *refusal);
static int cmp_control_once(const cmp_controls_t *controls, int n);
static int cmp_token_limits(const cmp_credential_t *token, cmp_request_t *req,
    cmp_refusal_t *refusal);


/*
 * The controls that name something of the store: oldCertID, and the hash of a
 * regToken.  What they are worth is decided later.
 */

int
cmp_exchange_load_controls(cmp_exchange_t *ex, cmp_request_t *req)
{
    int                              i;
    cmp_str_t                        octets;
    cmp_cert_id_t                   *id;
    const cmp_controls_t            *controls;
    cmp_attribute_type_and_value_t  *control;

    controls = req->msg->cert_req->controls;

    for (i = 0; i < sk_cmp_attribute_type_and_value_t_num(controls); i++) {

        control = sk_cmp_attribute_type_and_value_t_value(controls, i);

        if (cmp_oid_equal(control->type, &cmp_oid_reg_ctrl_reg_token)
            && control->value->type == V_ASN1_UTF8STRING
            && req->token_hash.len == 0)
        {
            octets = cmp_octets(control->value->value.utf8string);

            if (octets.len == 0 || octets.len > CMP_MAX_REG_TOKEN) {
                continue;
            }

            if (cmp_exchange_hash(ex->pool, octets.data, octets.len,
                                  &req->token_hash)
                != CMP_OK)
            {
                return CMP_ERROR;
            }

            ex->load.token_hashes[ex->load.ntoken_hashes++] = req->token_hash;
            continue;
        }

        if (cmp_oid_equal(control->type, &cmp_oid_reg_ctrl_old_cert_id) == 0
            || control->value->type != V_ASN1_SEQUENCE
            || req->old_cert_id != NULL)
        {
            continue;
        }

        id = cmp_asn1_decode(cmp_cert_id_t,
                             control->value->value.sequence->data,
                             control->value->value.sequence->length);
        if (id == NULL) {
            continue;
        }

        if (cmp_asn1_pool_item(ex->pool, ASN1_ITEM_rptr(cmp_cert_id_t), id)
            != CMP_OK)
        {
            return CMP_ERROR;
        }

        req->old_cert_id = id;
        octets = cmp_serial_octets(id->serial_number);

        if (octets.len != 0) {
            ex->load.serials[ex->load.nserials++] = octets;
        }
    }

    return CMP_OK;
}


/* each control is handled, or the request is refused for it */

int
cmp_request_controls(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    int                                    i, rc;
    char                                   name[80];
    const cmp_controls_t                  *controls;
    const cmp_attribute_type_and_value_t  *control;

    if (req->p10 != NULL) {
        return cmp_control_attributes(req, refusal);
    }

    controls = req->msg->cert_req->controls;

    for (i = 0; i < sk_cmp_attribute_type_and_value_t_num(controls); i++) {

        control = sk_cmp_attribute_type_and_value_t_value(controls, i);

        if (cmp_control_once(controls, i) == 0) {
            return cmp_refuse(refusal, CMP_REFUSE_CONTROL, "%s twice",
                              cmp_oid_name(control->type, name,
                                           sizeof(name)));
        }

        rc = cmp_control_known(ex, req, control, refusal);

        if (rc != CMP_OK) {
            return rc;
        }
    }

    if (req->msg->reg_info != NULL) {
        control = sk_cmp_attribute_type_and_value_t_value(req->msg->reg_info,
                                                          0);

        return cmp_refuse(refusal, CMP_REFUSE_REG_INFO, "%s",
                          control != NULL
                          ? cmp_oid_name(control->type, name, sizeof(name))
                          : "it is empty");
    }

    return CMP_OK;
}


static int
cmp_control_known(cmp_exchange_t *ex, cmp_request_t *req,
    const cmp_attribute_type_and_value_t *control, cmp_refusal_t *refusal)
{
    char  name[80];

    if (cmp_oid_equal(control->type, &cmp_oid_reg_ctrl_reg_token)) {

        return req->token_hash.len != 0
               ? CMP_OK
               : cmp_refuse(refusal, CMP_REFUSE_CONTROL,
                            "regToken is not an UTF8String of 1 to %d octets",
                            CMP_MAX_REG_TOKEN);
    }

    if (cmp_oid_equal(control->type, &cmp_oid_reg_ctrl_pki_publication_info)) {
        return cmp_control_publication(control, refusal);
    }

    if (ex->msg.type == CMP_BODY_KUR
        && req->old_cert_id != NULL
        && cmp_oid_equal(control->type, &cmp_oid_reg_ctrl_old_cert_id))
    {
        return CMP_OK;
    }

    return cmp_refuse(refusal, CMP_REFUSE_CONTROL, "%s",
                      cmp_oid_name(control->type, name, sizeof(name)));
}


/*
 * Certificates are published nowhere, which is what dontPublish asks for
 * (RFC 4211, 6.3); where they could be published then makes no sense.
 */

static int
cmp_control_publication(const cmp_attribute_type_and_value_t *control,
    cmp_refusal_t *refusal)
{
    int                          none;
    long                         action;
    cmp_pki_publication_info_t  *info;

    info = NULL;

    if (control->value->type == V_ASN1_SEQUENCE) {
        info = cmp_asn1_decode(cmp_pki_publication_info_t,
                               control->value->value.sequence->data,
                               control->value->value.sequence->length);
    }

    if (info == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_CONTROL,
                          "pkiPublicationInfo cannot be decoded");
    }

    action = ASN1_INTEGER_get(info->action);
    none = (info->pub_infos == NULL);

    cmp_asn1_free(cmp_pki_publication_info_t, info);
    cmp_crypto_error(NULL, 0);

    if (action != CMP_PUBLICATION_DONT_PUBLISH) {
        return cmp_refuse(refusal, CMP_REFUSE_CONTROL, "pkiPublicationInfo: "
                          "certificates are not published");
    }

    return none ? CMP_OK
                : cmp_refuse(refusal, CMP_REFUSE_CONTROL, "pkiPublicationInfo "
                             "has pubInfos with dontPublish");
}


/* 0 when a control before the n-th one is of the same type */

static int
cmp_control_once(const cmp_controls_t *controls, int n)
{
    int                                    i;
    const cmp_attribute_type_and_value_t  *control, *other;

    control = sk_cmp_attribute_type_and_value_t_value(controls, n);

    for (i = 0; i < n; i++) {

        other = sk_cmp_attribute_type_and_value_t_value(controls, i);

        if (OBJ_cmp(control->type, other->type) == 0) {
            return 0;
        }
    }

    return 1;
}


static int
cmp_control_attributes(cmp_request_t *req, cmp_refusal_t *refusal)
{
    int             i, nid, found;
    char            name[80];
    ASN1_OBJECT    *object;

    found = 0;

    for (i = 0; i < X509_REQ_get_attr_count(req->p10); i++) {

        object = X509_ATTRIBUTE_get0_object(X509_REQ_get_attr(req->p10, i));
        nid = OBJ_obj2nid(object);

        if ((nid == NID_ext_req || nid == NID_ms_ext_req) && found == 0) {
            found = 1;
            continue;
        }

        return cmp_refuse(refusal, CMP_REFUSE_CONTROL, "PKCS#10 attribute %s",
                          cmp_oid_name(object, name, sizeof(name)));
    }

    if (found && req->extensions == NULL) {
        return cmp_refuse(refusal, CMP_REFUSE_EXTENSION_VALUE, NULL);
    }

    return CMP_OK;
}


/*
 * A regToken is a second proof: the request has to be within its limits and
 * within those of the requester.  It is spent by the commit.  All that is
 * wrong with it is told in the same words, so that nothing is learned about
 * other people's tokens.
 */

int
cmp_request_token(cmp_exchange_t *ex, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    size_t                   i;
    const cmp_credential_t  *token;

    req->token = NULL;

    /* a request that an operator has approved was checked before it waited */

    if (req->waiting != NULL) {
        return CMP_OK;
    }

    if (req->token_hash.len == 0) {

        if (ex->msg.type != CMP_BODY_KUR
            && ((ex->credential != NULL && ex->credential->token_needed)
                || (ex->signer.scope != NULL
                    && ex->signer.scope->token_needed)))
        {
            return cmp_refuse(refusal, CMP_REFUSE_REG_TOKEN_MISSING, NULL);
        }

        return CMP_OK;
    }

    token = NULL;

    for (i = 0; i < ex->records->ntokens; i++) {

        if (cmp_str_equal(&ex->records->tokens[i].token_hash,
                          &req->token_hash))
        {
            token = &ex->records->tokens[i];
        }
    }

    if (token == NULL
        || token->disabled
        || token->uses_left == 0
        || (token->not_after != 0 && token->not_after <= ex->records->now))
    {
        return cmp_refuse(refusal, CMP_REFUSE_REG_TOKEN, NULL);
    }

    for (i = 0; &ex->requests[i] != req; i++) {

        if (ex->requests[i].token == token) {
            return cmp_refuse(refusal, CMP_REFUSE_REG_TOKEN, NULL);
        }
    }

    req->token = token;

    return cmp_token_limits(token, req, refusal);
}


static int
cmp_token_limits(const cmp_credential_t *token, cmp_request_t *req,
    cmp_refusal_t *refusal)
{
    size_t  i;

    for (i = 0; i < token->nprofiles; i++) {

        if (cmp_str_equal(&token->profiles[i], &req->profile->name)) {
            break;
        }
    }

    if (token->nprofiles != 0 && i == token->nprofiles) {
        return cmp_refuse(refusal, CMP_REFUSE_REG_TOKEN_LIMITS, "profile");
    }

    if (token->subject.len != 0
        && cmp_subject_pattern_match(&token->subject, req->issue.subject)
           == 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_REG_TOKEN_LIMITS, "subject");
    }

    if (token->nsans != 0
        && cmp_san_patterns_match(token->sans, token->nsans, req->issue.sans)
           == 0)
    {
        return cmp_refuse(refusal, CMP_REFUSE_REG_TOKEN_LIMITS,
                          "subjectAltName");
    }

    return CMP_OK;
}
