//! The requests of `lost_answers`, in order: the caller, the status, the request.

/// Each caller has a new session for each request.
pub const OPERATIONS: &str = r#"
anyone 201 POST /auth/register {"email": "new@example.com", "password": "PASSWORD"}
anyone 409 POST /auth/register {"email": "new@example.com", "password": "PASSWORD"}
anyone 401 POST /auth/login {"email": "bob@example.com", "password": "a wrong password"}
anyone 401 POST /auth/login {"email": "nobody@example.com", "password": "a wrong password"}
anyone 202 POST /auth/email/verification {"email": "bob@example.com"}
anyone 202 POST /auth/password/forgot {"email": "nobody@example.com"}
anyone 202 POST /auth/password/forgot {"email": "bob@example.com"}
anyone 401 POST /auth/email/verify {"token": "VERIFY_LINK"}
bob    200 POST /auth/email/verify {"token": "VERIFY_LINK"}
bob    202 PUT /users/me/email {"new_email": "moved@example.com"}
bob    202 PUT /users/me/email {"new_email": "stu@example.com"}
bob    422 PUT /users/me/email {"new_email": "bob@example.com"}
anyone 200 POST /auth/email/verify {"token": "CHANGE_LINK", "password": "PASSWORD"}
anyone 401 POST /auth/email/verify {"token": "CHANGE_LINK", "password": "PASSWORD"}
anyone 200 POST /auth/email/undo {"token": "UNDO_LINK"}
anyone 401 POST /auth/email/undo {"token": "NOT_ME_LINK"}
anyone 200 POST /auth/email/not-me {"token": "NOT_ME_LINK"}
anyone 200 POST /auth/password/reset {"token": "RESET_LINK", "new_password": "PASSWORD"}
bob    202 POST /users/me/mfa/email-code
anyone 202 POST /auth/email/code {"email": "bob@example.com"}
anyone 200 POST /auth/email/sign-in SIGN_IN_CODE
anyone 200 POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in"}
anyone 303 GET /auth/federated/acme/callback?CALLBACK_QUERY
anyone 200 POST /auth/federated/exchange EXCHANGE_OF_STRANGER
anyone 200 POST /auth/federated/exchange EXCHANGE_OF_OWNER
anyone 200 POST /auth/federated/acme/id-token ID_TOKEN_OF_OWNER
fay    200 POST /auth/federated/exchange LINK_OF_OWNER
fay    200 POST /auth/federated/acme/id-token ID_TOKEN_TO_LINK
anyone 401 POST /auth/federated/exchange EXCHANGE_TO_JOIN
anyone 200 POST /auth/federated/confirm CONFIRMATION_OF_OWNER
anyone 401 POST /auth/federated/confirm {"flow": "x", "code": "00000000"}
fay    200 GET /users/me/identities
fay    204 DELETE /users/me/identities/{identity}
fay    404 DELETE /users/me/identities/9999
fay    200 POST /auth/federated/exchange STEP_UP_OF_OWNER
fay    202 POST /auth/step-up/email-code
bob    200 PATCH /users/me {"full_name": "Bob"}
bob    200 GET /users/me/export
bob    401 PUT /users/me/password {"current_password": "a wrong password", "new_password": "another long password"}
bob    200 PUT /users/me/password {"current_password": "PASSWORD", "new_password": "PASSWORD"}
bob    401 DELETE /users/me {"password": "a wrong password"}
bob    200 POST /auth/logout-all
bob    201 POST /users/me/api-keys {"name": "New", "permissions": ["universities:view"]}
bob    204 DELETE /users/me/api-keys/{api_key}
bob    404 DELETE /users/me/api-keys/9
root   200 POST /admin/users/import {"external_id": "1", "email": "imported@example.com", "full_name": "One", "roles": [{"role": "TA", "university_id": 1}]}
root   200 POST /admin/users/import {"external_id": "1", "email": "imported@example.com", "full_name": "Two"}
root   200 POST /admin/users/import {"email": "new@example.com", "email_verified": true}
root   201 POST /admin/service-accounts {"name": "New", "scopes": ["authz:check"]}
root   200 PATCH /admin/service-accounts/{account} {"name": "Renamed", "is_active": false}
root   200 PATCH /admin/service-accounts/{account} {"scopes": []}
root   404 PATCH /admin/service-accounts/9 {"scopes": []}
root   201 POST /admin/service-accounts/{account}/keys {"name": "Next"}
root   409 POST /admin/service-accounts/{account}/keys {"name": "Third"}
root   404 POST /admin/service-accounts/9/keys
root   204 DELETE /admin/service-accounts/{account}/keys/{service_key}
root   404 DELETE /admin/service-accounts/{account}/keys/9
root   204 DELETE /admin/service-accounts/{account}
root   404 DELETE /admin/service-accounts/9
eve    204 DELETE /users/me {"password": "PASSWORD"}
pat    204 POST /users/me/delete {"password": "PASSWORD"}
root   201 POST /universities {"name": "New", "slug": "new"}
root   409 POST /universities {"name": "New", "slug": "new"}
root   200 PATCH /universities/3 {"name": "Renamed", "slug": "renamed"}
root   409 PATCH /universities/3 {"slug": "here"}
ulla   403 PATCH /universities/1 {"name": "Mine"}
root   201 POST /universities/3/roles {"user_id": 5, "role": "TA"}
root   409 DELETE /universities/1
root   204 DELETE /universities/3
ulla   201 POST /universities/1/departments {"name": "New"}
ulla   409 POST /universities/1/departments {"name": "New"}
ulla   204 DELETE /universities/1/departments/5
ulla   404 DELETE /universities/1/departments/5
ulla   409 DELETE /universities/1/departments/1
bob    201 POST /invitations/accept {"token": "INVITE_LINK"}
bob    401 POST /invitations/accept {"token": "1.00000000000000000000000000000000"}
ulla   201 POST /universities/1/roles {"email": "bob@example.com", "role": "TA", "department_id": 1}
ulla   409 POST /universities/1/roles {"email": "bob@example.com", "role": "TA", "department_id": 1}
ulla   202 POST /universities/1/roles {"email": "nobody@example.com", "role": "TA"}
ulla   202 POST /universities/1/roles {"email": "nobody@example.com", "role": "TA"}
ulla   204 DELETE /universities/1/invitations/{invitation}
ulla   404 DELETE /universities/1/invitations/{invitation}
dora   403 POST /universities/1/roles {"email": "bob@example.com", "role": "UNIVERSITY_ADMIN"}
ulla   409 DELETE /universities/1/roles/2
ulla   204 DELETE /universities/1/roles/4
root   201 POST /universities/1/roles {"user_id": 4, "role": "STUDENT"}
ulla   201 POST /universities/1/courses {"title": "New", "code": "N1", "is_public": true}
ulla   409 POST /universities/1/courses {"title": "New", "code": "N1", "is_public": true}
ulla   200 PATCH /courses/6 {"title": "Renamed", "department_id": 2}
ulla   200 PATCH /courses/6 {"department_id": 1}
ulla   409 PATCH /courses/6 {"code": "P1"}
stu    201 POST /courses/6/enrollments
stu    409 POST /courses/6/enrollments
stu    201 POST /courses/1/enrollments
stu    204 DELETE /enrollments/1
stu    404 DELETE /enrollments/1
ulla   204 DELETE /courses/1
ulla   404 DELETE /courses/1
stu    200 POST /authz/check {"permission": "universities:view", "university_id": 1}
root   200 PATCH /admin/users/5 {"full_name": "Robert"}
root   200 PATCH /admin/users/5 {"email_verified": true}
root   200 PATCH /admin/users/5 {"is_active": false, "full_name": "B"}
anyone 403 POST /auth/login {"email": "bob@example.com", "password": "PASSWORD"}
root   200 PATCH /admin/users/5 {"is_active": true}
root   200 POST /admin/users/4/logout
root   404 POST /admin/users/99/logout
root   200 POST /admin/users/5/unlock
root   201 POST /admin/users/5/password-reset
root   404 POST /admin/users/99/password-reset
root   204 DELETE /admin/users/5
root   404 DELETE /admin/users/5
ulla   403 DELETE /admin/users/4
stu    200 POST /auth/step-up {"password": "PASSWORD"}
stu    401 POST /auth/step-up {"password": "a wrong password"}
mia    200 POST /auth/email/verify {"token": "VERIFY_OF_MIA"}
mia    409 POST /users/me/mfa/totp/confirm {"code": "000000"}
mia    201 POST /users/me/mfa/totp
mia    422 POST /users/me/mfa/totp/confirm {"code": "00"}
mia    200 POST /users/me/mfa/totp/confirm {"code": "PENDING_CODE"}
mia    201 POST /users/me/mfa/totp
mia    200 POST /users/me/mfa/totp/confirm {"code": "PENDING_CODE"}
mia    200 GET /users/me/mfa
mia    200 POST /users/me/mfa/recovery-codes
anyone 200 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "code": "TOTP_CODE"}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "code": "WRONG_CODE"}
anyone 200 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "RECOVERY_CODE"}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "a wrong code"}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "a wrong code"}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "a wrong code"}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "a wrong code"}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "a wrong code"}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "a wrong code"}
anyone 200 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "passkey": MFA_ASSERTION}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "passkey": STEP_UP_ASSERTION}
anyone 200 POST /auth/passkey PASSKEY_SIGN_IN
mia    200 POST /auth/step-up {"code": "TOTP_CODE"}
mia    401 POST /auth/step-up {"code": "WRONG_CODE"}
mia    200 POST /auth/step-up {"passkey": STEP_UP_ASSERTION}
mia    401 POST /auth/step-up {"password": "PASSWORD"}
mia    200 POST /users/me/passkeys/options
mia    201 POST /users/me/passkeys {"name": "Laptop", "credential": PASSKEY_CREDENTIAL}
mia    422 POST /users/me/passkeys {"name": "Laptop", "credential": STEP_UP_ASSERTION}
mia    200 PATCH /users/me/passkeys/{passkey} {"name": "Renamed"}
mia    200 PATCH /users/me/passkeys/{passkey} {"name": "Renamed"}
mia    404 PATCH /users/me/passkeys/9999 {"name": "Renamed"}
mia    204 DELETE /users/me/passkeys/{passkey}
mia    404 DELETE /users/me/passkeys/9999
anyone 401 POST /auth/email/sign-in MAILED_CODE_OF_MIA
anyone 200 POST /auth/password/reset {"token": "RESET_OF_MIA", "new_password": "PASSWORD"}
mia    200 POST /users/me/factors/confirm
mia    200 POST /users/me/factors/confirm
mia    204 DELETE /users/me/mfa/totp
mia    404 DELETE /users/me/mfa/totp
mia    409 POST /users/me/mfa/recovery-codes
mia    201 POST /users/me/passkeys {"name": "Laptop", "credential": PASSKEY_CREDENTIAL}
anyone 200 POST /auth/email/undo {"token": "UNDO_OF_MIA"}
anyone 200 POST /auth/password/reset {"token": "RESET_OF_MIA", "new_password": "PASSWORD"}
anyone 200 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "passkey": MFA_ASSERTION}
root   204 DELETE /admin/users/9/mfa
root   404 DELETE /admin/users/9/mfa
root   404 DELETE /admin/users/99/mfa
second 200 PATCH /admin/users/8 {"is_active": false}
root   409 PATCH /admin/users/1 {"is_active": false}
root   409 DELETE /users/me {"password": "PASSWORD"}
"#;
