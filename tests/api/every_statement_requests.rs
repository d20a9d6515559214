//! The requests of `every_statement`.

/// Requests of users with roles, in order: the user, the status, the request.
pub const REQUESTS: &str = r#"
root   201 POST /universities {"name": "New", "slug": "new"}
root   200 GET /universities
ulla   200 GET /universities
ulla   200 GET /universities/1
root   200 PATCH /universities/1 {"name": "Renamed"}
root   409 DELETE /universities/1
root   204 DELETE /universities/3
ulla   201 POST /universities/1/departments {"name": "New"}
ulla   200 GET /universities/1/departments
ulla   204 DELETE /universities/1/departments/5
ulla   200 GET /universities/1/roles
dora   200 GET /universities/1/roles
ulla   202 POST /universities/1/roles {"email": "bob@example.com", "role": "STUDENT"}
ulla   200 GET /universities/1/invitations
ulla   204 DELETE /universities/1/invitations/{invitation}
bob    201 POST /invitations/accept {"token": "INVITE_LINK"}
stu    403 POST /invitations/accept {"token": "INVITE_LINK"}
anyone 200 POST /auth/email/verify {"token": "VERIFY_LINK", "password": "correct horse battery staple"}
root   201 POST /universities/1/roles {"user_id": 6, "role": "TA"}
ulla   204 DELETE /universities/1/roles/7
ulla   201 POST /universities/1/courses {"title": "New", "code": "N1", "is_public": true}
ulla   200 GET /universities/1/courses
stu    200 GET /courses
root   200 GET /courses
anyone 200 GET /courses
stu    200 GET /courses/1
ulla   200 PATCH /courses/6 {"title": "Renamed"}
stu    201 POST /courses/1/enrollments
stu    409 POST /courses/1/enrollments
stu    200 GET /enrollments/1
ulla   200 GET /courses/1/enrollments
stu    204 DELETE /enrollments/1
ulla   204 DELETE /courses/6
stu    200 POST /authz/check {"permission": "universities:view", "university_id": 1}
stu    200 POST /authz/check {"permission": "roles:view", "department_id": 1}
root   200 GET /admin/users
root   200 POST /admin/users/import {"email": "line@example.com", "external_id": "1", "roles": [{"role": "TA", "university_id": 1}]}
root   200 POST /admin/users/import {"email": "line@example.com", "external_id": "1", "full_name": "Renamed"}
anyone 201 POST /auth/register {"email": "squatter@example.com", "password": "seven green bottles on a wall"}
root   200 POST /admin/users/import {"email": "squatter@example.com", "email_verified": true}
root   200 GET /admin/users?is_active=true
root   200 GET /admin/users?is_active=false
root   200 GET /admin/users?email=bob@example.com
root   200 GET /admin/users/6
root   200 PATCH /admin/users/6 {"is_active": false, "full_name": "Bob"}
root   200 PATCH /admin/users/6 {"is_active": true}
root   200 GET /admin/users/6/sessions
root   200 POST /admin/users/6/logout
root   200 POST /admin/users/6/unlock
root   201 POST /admin/users/6/password-reset
root   200 GET /admin/audit-events
root   200 GET /admin/audit-events?user_id=6
root   200 GET /admin/audit-events?type=role_granted
root   200 GET /admin/audit-events?type=refreshed
root   200 GET /admin/audit-events?user_id=6&type=role_granted
root   200 GET /admin/audit-events?user_id=6&type=refreshed
root   204 DELETE /admin/users/6
root   200 GET /admin/service-accounts
root   200 GET /admin/service-accounts/1
root   200 PATCH /admin/service-accounts/1 {"name": "Renamed"}
root   201 POST /admin/service-accounts {"name": "New", "scopes": ["users:read"]}
root   200 GET /admin/service-accounts/1/keys
root   201 POST /admin/service-accounts/1/keys {"name": "Next"}
root   204 DELETE /admin/service-accounts/1/keys/1
root   204 DELETE /admin/service-accounts/1
anyone 303 GET /auth/federated/acme/callback?CALLBACK_QUERY
anyone 200 POST /auth/federated/exchange EXCHANGE_OF_STRANGER
anyone 200 POST /auth/federated/exchange EXCHANGE_OF_OWNER
fay    200 POST /auth/federated/exchange LINK_OF_OWNER
anyone 200 POST /auth/federated/confirm CONFIRMATION_OF_OWNER
fay    200 GET /users/me/identities
fay    204 DELETE /users/me/identities/{identity}
fay    200 POST /auth/federated/exchange STEP_UP_OF_OWNER
fay    202 POST /auth/step-up/email-code
fay    200 POST /auth/step-up STEP_UP_CODE
stu    200 POST /auth/step-up {"password": "correct horse battery staple"}
mia    200 GET /users/me/mfa
mia    201 POST /users/me/mfa/totp
mia    200 POST /users/me/mfa/totp/confirm {"code": "PENDING_CODE"}
mia    200 POST /users/me/mfa/recovery-codes
anyone 200 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "code": "TOTP_CODE"}
anyone 401 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "code": "WRONG_CODE"}
anyone 200 POST /auth/mfa {"mfa_token": "MFA_TOKEN", "passkey": MFA_ASSERTION}
anyone 200 POST /auth/passkey PASSKEY_SIGN_IN
mia    200 POST /auth/step-up {"code": "TOTP_CODE"}
mia    200 POST /users/me/passkeys/options
mia    201 POST /users/me/passkeys {"name": "Laptop", "credential": PASSKEY_CREDENTIAL}
mia    200 GET /users/me/passkeys
mia    200 PATCH /users/me/passkeys/{passkey} {"name": "Renamed"}
mia    200 GET /users/me/export
mia    204 DELETE /users/me/passkeys/{passkey}
anyone 401 POST /auth/email/sign-in MAILED_CODE_OF_MIA
anyone 200 POST /auth/password/reset {"token": "RESET_OF_MIA", "new_password": "correct horse battery staple"}
mia    200 POST /users/me/factors/confirm
mia    204 DELETE /users/me/mfa/totp
root   204 DELETE /admin/users/7/mfa
anyone 200 GET /health/ready"#;
