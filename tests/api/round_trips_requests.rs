//! The requests of `round_trips`, in order: the number of round trips, the operation, the caller, the request.

/// The round trips of each operation, its caller and its request. A read behind a token takes one, a change at most two.
///
/// `/authz/check` is a read whose statement depends on the body, and a body is read only after access was decided.
pub const OPERATIONS: &str = r#"
1 register          anyone   POST /auth/register {"email": "new@example.com", "password": "PASSWORD"}
2 login             anyone   POST /auth/login {"email": "bob@example.com", "password": "PASSWORD"}
1 refresh           anyone   POST /auth/refresh {"refresh_token": "REFRESH"}
1 logout            anyone   POST /auth/logout {"refresh_token": "REFRESH"}
1 requestVerification anyone POST /auth/email/verification {"email": "bob@example.com"}
2 requestVerification bob    POST /auth/email/verification {"email": "bob@example.com"}
2 verifyEmail       anyone   POST /auth/email/verify {"token": "VERIFY_LINK", "password": "PASSWORD"}
2 verifyEmail       bob      POST /auth/email/verify {"token": "VERIFY_LINK"}
2 verifyEmail       anyone   POST /auth/email/verify {"token": "CHANGE_LINK", "password": "PASSWORD"}
2 undoEmailChange   anyone   POST /auth/email/undo {"token": "UNDO_LINK"}
2 disownNotice      anyone   POST /auth/email/not-me {"token": "NOT_ME_LINK"}
1 requestReset      anyone   POST /auth/password/forgot {"email": "bob@example.com"}
2 resetPassword     anyone   POST /auth/password/reset {"token": "RESET_LINK", "new_password": "PASSWORD"}
1 requestSignInCode anyone POST /auth/email/code {"email": "bob@example.com"}
2 signInByCode      anyone   POST /auth/email/sign-in SIGN_IN_CODE
0 startFederatedSignIn anyone POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in"}
0 startFederatedSignIn anyone POST /auth/federated/github {"return_url": "https://app.example.com/signed-in"}
0 startFederatedSignIn anyone POST /auth/federated/acme {"native": true}
1 startFederatedSignIn bob POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in"}
1 startFederatedSignIn fay POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in", "step_up": true}
2 finishFederatedSignIn anyone GET /auth/federated/acme/callback?CALLBACK_QUERY
2 exchangeFederatedCode anyone POST /auth/federated/exchange EXCHANGE_OF_OWNER
2 exchangeFederatedCode anyone POST /auth/federated/exchange EXCHANGE_OF_STRANGER
2 exchangeFederatedCode fay POST /auth/federated/exchange LINK_OF_OWNER
1 startFederatedSignIn fay POST /auth/federated/github {"return_url": "https://app.example.com/signed-in", "link": true}
2 signInWithIdToken anyone POST /auth/federated/acme/id-token ID_TOKEN_OF_OWNER
2 signInWithIdToken fay    POST /auth/federated/acme/id-token ID_TOKEN_TO_LINK
2 confirmFederatedSignIn anyone POST /auth/federated/confirm CONFIRMATION_OF_OWNER
1 listIdentities    fay    GET /users/me/identities
2 unlinkIdentity    fay    DELETE /users/me/identities/{identity}
2 exchangeFederatedCode fay POST /auth/federated/exchange STEP_UP_OF_OWNER
2 requestStepUpCode fay    POST /auth/step-up/email-code
2 stepUp            fay      POST /auth/step-up STEP_UP_CODE
1 issueToken        anyone   POST /oauth/token grant_type=client_credentials&CLIENT
1 introspect        machine  POST /oauth/introspect token=REFRESH
1 introspect        machine  POST /oauth/introspect token=nonsense
2 revoke            machine  POST /oauth/revoke token=REFRESH
1 listSessions      bob      GET /auth/sessions
2 endSession        bob      DELETE /auth/sessions/SESSION
2 logoutAll         bob      POST /auth/logout-all
1 getCurrentUser    bob      GET /users/me
2 updateProfile     bob      PATCH /users/me {"full_name": "Bob"}
1 updateProfile     bob      PATCH /users/me {}
2 exportData        bob      GET /users/me/export
2 exportData        bob      GET /users/me/export?cursor=5
2 stepUp            bob      POST /auth/step-up {"password": "PASSWORD"}
2 verifyEmail       mia      POST /auth/email/verify {"token": "VERIFY_OF_MIA"}
2 requestEnrolmentCode bob     POST /users/me/mfa/email-code
2 enrolTotp         mia      POST /users/me/mfa/totp
2 confirmTotp       mia      POST /users/me/mfa/totp/confirm {"code": "PENDING_CODE"}
1 getFactors        mia      GET /users/me/mfa
2 replaceRecoveryCodes mia   POST /users/me/mfa/recovery-codes
2 completeSignIn    anyone   POST /auth/mfa {"mfa_token": "MFA_TOKEN", "code": "TOTP_CODE"}
2 completeSignIn    anyone   POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "RECOVERY_CODE"}
2 completeSignIn    anyone   POST /auth/mfa {"mfa_token": "MFA_TOKEN", "passkey": MFA_ASSERTION}
0 startPasskeySignIn anyone  POST /auth/passkey/options
2 signInWithPasskey anyone   POST /auth/passkey PASSKEY_SIGN_IN
2 stepUp            mia      POST /auth/step-up {"code": "TOTP_CODE"}
2 stepUp            mia      POST /auth/step-up {"passkey": STEP_UP_ASSERTION}
2 startPasskeyRegistration mia POST /users/me/passkeys/options
2 registerPasskey   mia      POST /users/me/passkeys {"name": "Laptop", "credential": PASSKEY_CREDENTIAL}
1 listPasskeys      mia      GET /users/me/passkeys
2 renamePasskey     mia      PATCH /users/me/passkeys/{passkey} {"name": "Renamed"}
2 removePasskey     mia      DELETE /users/me/passkeys/{passkey}
2 confirmFactors    mia      POST /users/me/factors/confirm
2 removeTotp        mia      DELETE /users/me/mfa/totp
2 exportData        mia      GET /users/me/export
2 changePassword    bob      PUT /users/me/password {"current_password": "PASSWORD", "new_password": "PASSWORD"}
2 deleteAccount     eve      DELETE /users/me {"password": "PASSWORD"}
2 deleteAccountByPost pat    POST /users/me/delete {"password": "PASSWORD"}
1 listApiKeys       bob      GET /users/me/api-keys
2 changeEmail       bob      PUT /users/me/email {"new_email": "moved@example.com"}
2 createApiKey      bob      POST /users/me/api-keys {"name": "New", "permissions": ["universities:view"]}
2 withdrawApiKey    bob      DELETE /users/me/api-keys/{api_key}
1 listUniversities  root     GET /universities
1 listUniversities  ulla     GET /universities
2 createUniversity  root     POST /universities {"name": "New", "slug": "new"}
1 getUniversity     ulla     GET /universities/1
2 updateUniversity  root     PATCH /universities/1 {"name": "Renamed"}
2 deleteUniversity  root     DELETE /universities/3
1 listDepartments   stu      GET /universities/1/departments
2 createDepartment  ulla     POST /universities/1/departments {"name": "New"}
2 deleteDepartment  ulla     DELETE /universities/1/departments/5
1 listRoles         ulla     GET /universities/1/roles
1 listRoles         dora     GET /universities/1/roles
2 grantRole         ulla     POST /universities/1/roles {"email": "bob@example.com", "role": "TA"}
2 withdrawInvitation ulla    DELETE /universities/1/invitations/{invitation}
1 listInvitations   ulla     GET /universities/1/invitations
2 acceptInvitation  bob      POST /invitations/accept {"token": "INVITE_LINK"}
2 removeRole        ulla     DELETE /universities/1/roles/5
1 listUniversityCourses stu  GET /universities/1/courses
2 createCourse      ulla     POST /universities/1/courses {"title": "New", "code": "N1", "is_public": true}
1 listCourses       anyone   GET /courses
1 listCourses       stu      GET /courses
1 listCourses       root     GET /courses
1 listCourses       expired  GET /courses
2 listCourses       revoked  GET /courses
1 getCourse         anyone   GET /courses/1
1 getCourse         stu      GET /courses/2
2 updateCourse      ulla     PATCH /courses/6 {"title": "Renamed"}
2 enroll            stu      POST /courses/6/enrollments
1 listEnrollments   ulla     GET /courses/6/enrollments
1 getEnrollment     stu      GET /enrollments/1
2 endEnrollment     stu      DELETE /enrollments/1
2 deleteCourse      ulla     DELETE /courses/6
2 checkPermission   stu      POST /authz/check {"permission": "universities:view", "university_id": 1}
1 checkPermission   stu      POST /authz/check {"permission": "platform:administer"}
1 adminListUsers    root     GET /admin/users
3 adminImportUsers  root     POST /admin/users/import {"email": "line@example.com"}
2 adminImportUsers  root     POST /admin/users/import?dry_run=true {"email": "other@example.com"}
1 adminGetUser      root     GET /admin/users/5
2 adminUpdateUser   root     PATCH /admin/users/5 {"full_name": "Robert"}
2 adminResetPassword root    POST /admin/users/5/password-reset
2 adminResetFactors root     DELETE /admin/users/8/mfa
1 adminListSessions root     GET /admin/users/5/sessions
2 adminEndSessions  root     POST /admin/users/5/logout
2 adminUnlockUser   root     POST /admin/users/5/unlock
2 adminDeleteUser   root     DELETE /admin/users/5
1 adminListEvents   root     GET /admin/audit-events
1 adminListServiceAccounts root GET /admin/service-accounts
2 adminCreateServiceAccount root POST /admin/service-accounts {"name": "New", "scopes": ["users:read"]}
1 adminGetServiceAccount root GET /admin/service-accounts/{account}
2 adminUpdateServiceAccount root PATCH /admin/service-accounts/{account} {"name": "Renamed"}
1 adminListServiceKeys root  GET /admin/service-accounts/{account}/keys
2 adminCreateServiceKey root POST /admin/service-accounts/{account}/keys {"name": "Next"}
2 adminWithdrawServiceKey root DELETE /admin/service-accounts/{account}/keys/{service_key}
2 adminDeleteServiceAccount root DELETE /admin/service-accounts/{account}
0 getHealth         anyone   GET /health
1 getReadiness      anyone   GET /health/ready
0 getCircuitBreaker operator GET /operator/circuit-breaker
0 setCircuitBreaker operator POST /operator/circuit-breaker {"state": "automatic"}
1 listSigningKeys   operator GET /operator/signing-keys
2 changeSigningKeys operator POST /operator/signing-keys {"action": "rotate"}
0 getKeySet         anyone   GET /.well-known/jwks.json
0 getMetadata       anyone   GET /.well-known/oauth-authorization-server
0 getRelatedOrigins anyone   GET /.well-known/webauthn
0 getOpenapiJson    anyone   GET /openapi.json
0 getOpenapiYaml    anyone   GET /openapi.yaml"#;
