//! The requests of the access matrix, which is in `rbac_matrix`, their round trips and the codes of their refusals.

/// The request for each line of the matrix. Lines that grant or remove a role name the role instead.
pub const REQUESTS: &str = r#"
logoutAll               POST /auth/logout-all
listSessions            GET /auth/sessions
endSession              DELETE /auth/sessions/{session}
getCurrentUser          GET /users/me
updateProfile           PATCH /users/me {"full_name": "Somebody"}
changePassword          PUT /users/me/password {"current_password": "correct horse battery staple", "new_password": "another thing"}
changeEmail             PUT /users/me/email {"new_email": "moved@example.com"}
exportData              GET /users/me/export
deleteAccount           DELETE /users/me {"password": "correct horse battery staple"}
deleteAccountByPost     POST /users/me/delete {"password": "correct horse battery staple"}
startFederatedSignIn    POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in"}
startFederatedSignIn link  POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in", "link": true}
exchangeFederatedCode   POST /auth/federated/exchange EXCHANGE_OF_STRANGER
exchangeFederatedCode link  POST /auth/federated/exchange LINK_OF_OWNER
signInWithIdToken       POST /auth/federated/acme/id-token ID_TOKEN_OF_STRANGER
signInWithIdToken link  POST /auth/federated/acme/id-token ID_TOKEN_TO_LINK
requestStepUpCode       POST /auth/step-up/email-code
listIdentities          GET /users/me/identities
unlinkIdentity          DELETE /users/me/identities/{identity}
stepUp                  POST /auth/step-up {"code": "TOTP_CODE"}
getFactors              GET /users/me/mfa
requestEnrolmentCode    POST /users/me/mfa/email-code
enrolTotp               POST /users/me/mfa/totp
confirmTotp             POST /users/me/mfa/totp/confirm {"code": "PENDING_CODE"}
removeTotp              DELETE /users/me/mfa/totp
replaceRecoveryCodes    POST /users/me/mfa/recovery-codes
confirmFactors          POST /users/me/factors/confirm
listPasskeys            GET /users/me/passkeys
startPasskeyRegistration  POST /users/me/passkeys/options
registerPasskey         POST /users/me/passkeys {"name": "Laptop", "credential": PASSKEY_CREDENTIAL}
renamePasskey           PATCH /users/me/passkeys/{passkey} {"name": "Laptop"}
removePasskey           DELETE /users/me/passkeys/{passkey}
listUniversities        GET /universities
createUniversity        POST /universities {"name": "New", "slug": "new"}
getUniversity           GET /universities/1
updateUniversity        PATCH /universities/1 {"name": "New"}
deleteUniversity        DELETE /universities/1
listDepartments         GET /universities/1/departments
createDepartment        POST /universities/1/departments {"name": "New"}
deleteDepartment        DELETE /universities/1/departments/3
listRoles               GET /universities/1/roles
listInvitations         GET /universities/1/invitations
withdrawInvitation      DELETE /universities/1/invitations/{invitation}
acceptInvitation        POST /invitations/accept {"token": "INVITE_LINK"}
listUniversityCourses   GET /universities/1/courses
createCourse            POST /universities/1/courses {"title": "New", "code": "N1", "is_public": true}
createCourse in 1       POST /universities/1/courses {"title": "New", "code": "N1", "is_public": true, "department_id": 1}
requestVerification     POST /auth/email/verification {"email": "own@example.com"}
verifyEmail             POST /auth/email/verify {"token": "1.a"}
listCourses             GET /courses
getCourse public        GET /courses/1
getCourse unpublished   GET /courses/2
updateCourse            PATCH /courses/3 {"title": "New"}
updateCourse in 1       PATCH /courses/1 {"title": "New"}
deleteCourse            DELETE /courses/3
deleteCourse in 1       DELETE /courses/1
listEnrollments         GET /courses/3/enrollments
listEnrollments in 1    GET /courses/1/enrollments
enroll                  POST /courses/3/enrollments
enroll in 1             POST /courses/1/enrollments
enroll unpublished      POST /courses/2/enrollments
getEnrollment           GET /enrollments/2
getEnrollment in 1      GET /enrollments/1
endEnrollment           DELETE /enrollments/2
endEnrollment in 1      DELETE /enrollments/1
checkPermission         POST /authz/check {"permission": "universities:view", "university_id": 1}
adminListUsers          GET /admin/users
adminImportUsers        POST /admin/users/import {"email": "line@example.com"}
adminGetUser            GET /admin/users/{plain}
adminUpdateUser         PATCH /admin/users/{plain} {"is_active": false}
adminDeleteUser         DELETE /admin/users/{plain}
adminEndSessions        POST /admin/users/{plain}/logout
adminUnlockUser         POST /admin/users/{plain}/unlock
adminResetPassword      POST /admin/users/{plain}/password-reset
adminResetFactors       DELETE /admin/users/{plain}/mfa
adminListSessions       GET /admin/users/{plain}/sessions
adminListEvents         GET /admin/audit-events
listApiKeys             GET /users/me/api-keys
createApiKey            POST /users/me/api-keys {"name": "New", "permissions": ["universities:view"]}
withdrawApiKey          DELETE /users/me/api-keys/7
adminListServiceAccounts  GET /admin/service-accounts
adminCreateServiceAccount  POST /admin/service-accounts {"name": "New", "scopes": []}
adminGetServiceAccount  GET /admin/service-accounts/1
adminUpdateServiceAccount  PATCH /admin/service-accounts/1 {"is_active": false}
adminDeleteServiceAccount  DELETE /admin/service-accounts/1
adminListServiceKeys    GET /admin/service-accounts/1/keys
adminCreateServiceKey   POST /admin/service-accounts/1/keys
adminWithdrawServiceKey  DELETE /admin/service-accounts/1/keys/1"#;

/// Operations on second factors that are there.
pub const NEED_FACTORS: [&str; 6] =
    ["stepUp", "removeTotp", "replaceRecoveryCodes", "renamePasskey", "removePasskey", "adminResetFactors"];

/// The maximum of round trips: one for the caller and the resource, one for the operation. Verifying a password takes
/// one more, and so does looking up the holder of a role.
pub fn budget(operation: &str) -> u64 {
    match operation {
        "getCurrentUser" => 1,
        "changePassword"
        | "deleteAccount"
        | "deleteAccountByPost"
        | "removeRole"
        | "acceptInvitation"
        | "exchangeFederatedCode"
        | "signInWithIdToken"
        | "adminImportUsers" => 3,
        _ => 2,
    }
}

pub fn code(status: u16, caller: &str) -> Option<&'static str> {
    match status {
        401 => Some("AUTH_TOKEN_INVALID"),
        403 if caller == "off" => Some("AUTH_INACTIVE_USER"),
        403 => Some("FORBIDDEN"),
        404 => Some("NOT_FOUND"),
        409 => Some("CONFLICT"),
        _ => None,
    }
}
