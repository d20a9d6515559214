//! THE table of routes: method, path, `operationId`, access rule, rate limits, plan, handler.
//!
//! The access rule holds for callers with a session. `+ Keys` behind it takes API keys of users, too, and `+ Service(Scope)`
//! takes service accounts with that scope. The default is no.
//!
//! `+ Fresh` says that the operation needs a recent sign-in (`service::authz::step_up`), `+ FreshForSome` that it depends on
//! the body or on the user concerned. A test holds every line to it.
//!
//! `+ Near` says that the nearest replica of the database answers sessions (`service::authz::near`), where reads are replicated.
//! Without it the primary does. A test allows it for operations that only read.
//!
//! In brackets are the rate limit per client network and, for a route with a caller, the one per user; or `Unlimited`.
//!
//! `reads` names a plan: its statements run in the batch that reads the caller. A plan without a handler responds with
//! the rows, so a read is one round trip. With a handler it saves the handler its first read.
//!
//! The router is built from it, so no route lacks an access rule. A test compares it with `openapi.yaml`, line by line.

use axum::Router;

use crate::domain::authz::Permission;
#[cfg(feature = "campus")]
use crate::domain::campus::policy::CampusPermission;
use crate::domain::problem::Code;
use crate::domain::settings::Presentation;
use crate::http::account::{admin, export, import, users};
use crate::http::authz::roles;
#[cfg(feature = "campus")]
use crate::http::campus::courses;
use crate::http::factor::sign_in as factor_sign_in;
use crate::http::factor::{passkeys, totp};
use crate::http::federation::{identities, sign_in as federated};
use crate::http::keys::operator as keys_operator;
use crate::http::keys::{discovery, key_set};
use crate::http::kit::access::guarded;
use crate::http::kit::protocol::ProtocolError;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up;
use crate::http::kit::table::routes;
use crate::http::machine::{api_keys, oauth, service_accounts, service_keys};
use crate::http::mail::{address, email, password};
use crate::http::platform::{description, health, operator, pages};
use crate::http::session;
use crate::http::session::auth;
use crate::http::tenant::{invitations, universities};

pub use crate::http::kit::access::{Access, PathResource};
pub use crate::http::kit::limits::Limits;
pub use crate::http::kit::near::ReadsAt;
pub use crate::http::kit::table::{Freshness, Route};

macro_rules! access {
    (Permit(Campus::$permission:ident on $resource:ident)) => {
        Access::Permit(Permission::Campus(CampusPermission::$permission), PathResource::$resource)
    };
    (Permit($permission:ident on $resource:ident)) => {
        Access::Permit(Permission::$permission, PathResource::$resource)
    };
    ($access:ident) => {
        Access::$access
    };
}

routes! {
    POST   "/auth/register"      register        Public [Register]          => auth::register;
    POST   "/auth/login"         login           Public [Login]             => auth::login;
    POST   "/auth/mfa"           completeSignIn  Public [Login]             => factor_sign_in::complete_sign_in;
    POST   "/auth/passkey/options" startPasskeySignIn Public [PublicRead]   => factor_sign_in::passkey_options;
    POST   "/auth/passkey"       signInWithPasskey Public [Login]           => factor_sign_in::passkey;
    POST   "/auth/step-up"       stepUp
        User   [Login, Password]                 reads factor_sign_in::rows => factor_sign_in::step_up;
    POST   "/auth/step-up/email-code" requestStepUpCode
        User   [Register, Change]                reads factor_sign_in::rows => factor_sign_in::mail_code;
    POST   "/auth/refresh"       refresh         Public [Refresh]           => auth::refresh;
    POST   "/auth/logout"        logout          Public [SignOut]           => auth::logout;
    POST   "/auth/logout-all"    logoutAll       User   [SignOut, EndSessions]   => session::end_all;
    GET    "/auth/sessions"      listSessions    User + Near [Read, Read]        reads session::list;
    DELETE "/auth/sessions/{id}" endSession      User   [SignOut, EndSessions]   => session::end;
    POST   "/auth/email/verification" requestVerification
        OptionalUser [Register, Change]          => email::ask_for_verification;
    POST   "/auth/email/verify"  verifyEmail     OptionalUser [Login, Change] => email::verify_email;
    POST   "/auth/email/undo"    undoEmailChange Public [Login]             => address::undo;
    POST   "/auth/email/not-me"  disownNotice    Public [Login]             => address::not_me;
    POST   "/auth/email/code"    requestSignInCode Public [Register]        => email::ask_for_code;
    POST   "/auth/email/sign-in" signInByCode    Public [Login]             => auth::sign_in_with_code;
    POST   "/auth/password/forgot" requestReset  Public [Register]          => password::forgot;
    POST   "/auth/password/reset" resetPassword  Public [Login]             => password::reset_password;
    POST   "/auth/federated/exchange" exchangeFederatedCode
        OptionalUser + FreshForSome [Login, Change] reads step_up::age_if_session => federated::exchange_code;
    POST   "/auth/federated/confirm" confirmFederatedSignIn Public [Login]  => federated::confirm_code;
    POST   "/auth/federated/{id}" startFederatedSignIn
        OptionalUser + FreshForSome [PublicRead, Change] reads step_up::age_if_session => federated::begin;
    GET    "/auth/federated/{id}/callback" finishFederatedSignIn Public [Refresh] => federated::callback;
    POST   "/auth/federated/{id}/id-token" signInWithIdToken
        OptionalUser + FreshForSome [Login, Change] reads step_up::age_if_session => federated::sign_in_with_id_token;
    GET    "/users/me"           getCurrentUser  User + Keys + Near [Read, Read]   => users::me;
    PATCH  "/users/me"           updateProfile   User   [Account, Change]   => users::update;
    DELETE "/users/me"           deleteAccount   User + Fresh [Login, Password]
            reads users::own_account => users::delete;
    POST   "/users/me/delete"    deleteAccountByPost User + Fresh [Login, Password]
            reads users::own_account => users::delete;
    PUT    "/users/me/password"  changePassword
        User + Fresh [Login, Password] reads users::own_account => users::change_password;
    PUT    "/users/me/email"     changeEmail
        User + Fresh [Login, Password] reads api_keys::step_up => address::change;
    GET    "/users/me/export"    exportData      User + Fresh [Account, Change]
            reads export::own_account => export::export;

    GET    "/users/me/api-keys"  listApiKeys     User + Near [Read, Read]        reads api_keys::list;
    POST   "/users/me/api-keys"  createApiKey
        User + Fresh [Login, Password] reads api_keys::step_up => api_keys::create;
    DELETE "/users/me/api-keys/{key_id}" withdrawApiKey
        User + Fresh [Login, Password] reads api_keys::step_up => api_keys::withdraw;

    GET    "/users/me/mfa"       getFactors      User + Near [Read, Read]        reads totp::list;
    POST   "/users/me/mfa/email-code" requestEnrolmentCode User [Register, Change] => totp::mail_code;
    POST   "/users/me/mfa/totp"  enrolTotp
        User + Fresh [Login, Password] reads api_keys::step_up => totp::enrol;
    POST   "/users/me/mfa/totp/confirm" confirmTotp
        User   [Login, Password]                 reads totp::pending => totp::confirm;
    DELETE "/users/me/mfa/totp"  removeTotp
        User + Fresh [Login, Password] reads api_keys::step_up => totp::remove;
    POST   "/users/me/mfa/recovery-codes" replaceRecoveryCodes
        User + Fresh [Login, Password] reads api_keys::step_up => totp::replace_codes;
    POST   "/users/me/factors/confirm" confirmFactors
        User + Fresh [Login, Password] reads api_keys::step_up => totp::confirm_suspended;
    GET    "/users/me/passkeys"  listPasskeys    User + Near [Read, Read]        reads passkeys::list;
    POST   "/users/me/passkeys/options" startPasskeyRegistration
        User + Fresh [Login, Password] reads api_keys::step_up => passkeys::options;
    POST   "/users/me/passkeys"  registerPasskey
        User + Fresh [Login, Password] reads api_keys::step_up => passkeys::register;
    PATCH  "/users/me/passkeys/{passkey_id}" renamePasskey User [Account, Change] => passkeys::rename;
    DELETE "/users/me/passkeys/{passkey_id}" removePasskey
        User + Fresh [Login, Password] reads api_keys::step_up => passkeys::remove;

    GET    "/users/me/identities" listIdentities User + Near [Read, Read]        reads identities::list;
    DELETE "/users/me/identities/{identity_id}" unlinkIdentity
        User + Fresh [Login, Password] reads api_keys::step_up => identities::unlink;

    GET    "/universities"       listUniversities  User + Keys + Near [Read, Read] reads universities::list;
    POST   "/universities"       createUniversity
        Permit(ManageUniversities on Platform)   [Change, Change] => universities::create;
    GET    "/universities/{id}"  getUniversity
        Permit(ViewUniversity on University) + Keys + Near [Read, Read] reads universities::find;
    PATCH  "/universities/{id}"  updateUniversity
        Permit(ManageUniversities on University) [Change, Change] => universities::update;
    DELETE "/universities/{id}"  deleteUniversity
        Permit(ManageUniversities on University) [Change, Change] => universities::delete;
    GET    "/universities/{id}/departments" listDepartments
        Permit(ViewUniversity on University) + Keys + Near [Read, Read] reads universities::departments;
    POST   "/universities/{id}/departments" createDepartment
        Permit(ManageDepartments on University) + Keys [Change, Change] => universities::create_department;
    DELETE "/universities/{id}/departments/{department_id}" deleteDepartment
        Permit(ManageDepartments on University) + Keys [Change, Change] => universities::delete_department;

    // Whether the caller may change a role depends on the body or the grant, so the use case decides it.
    GET    "/universities/{id}/roles" listRoles
        Permit(ViewUniversity on University) + Keys + Near [Read, Read] reads roles::list;
    POST   "/universities/{id}/roles" grantRole
        Permit(ViewUniversity on University) + FreshForSome [ChangeRoles, Change]
            reads roles::step_up => roles::grant;
    DELETE "/universities/{id}/roles/{grant_id}" removeRole
        Permit(ViewUniversity on University) + FreshForSome [ChangeRoles, Change] reads roles::find => roles::remove;

    GET    "/universities/{id}/invitations" listInvitations
        Permit(ViewUniversity on University) + Near [Read, Read] reads invitations::list;
    DELETE "/universities/{id}/invitations/{invitation_id}" withdrawInvitation
        Permit(ViewUniversity on University) [ChangeRoles, Change] reads invitations::find => invitations::withdraw;
    POST   "/invitations/accept" acceptInvitation User [Login, Change] => roles::accept;

    #[cfg(feature = "campus")]
    GET    "/universities/{id}/courses" listUniversityCourses
        Permit(ViewUniversity on University) + Keys + Near [Read, Read] reads courses::of_university;
    #[cfg(feature = "campus")]
    POST   "/universities/{id}/courses" createCourse
        Permit(ViewUniversity on University) + Keys [Change, Change] => courses::create;
    #[cfg(feature = "campus")]
    GET    "/courses"            listCourses       OptionalUser + Keys + Near [PublicRead, Read] reads courses::list;
    #[cfg(feature = "campus")]
    GET    "/courses/{id}"       getCourse         OptionalUser + Keys + Near [PublicRead, Read] reads courses::find;
    #[cfg(feature = "campus")]
    PATCH  "/courses/{id}"       updateCourse
        Permit(Campus::ManageCourses on Course) + Keys [Change, Change] => courses::update;
    #[cfg(feature = "campus")]
    DELETE "/courses/{id}"       deleteCourse
        Permit(Campus::ManageCourses on Course) + Keys [Change, Change] => courses::delete;
    #[cfg(feature = "campus")]
    GET    "/courses/{id}/enrollments" listEnrollments
        Permit(Campus::ViewEnrollments on Course) + Keys + Near [Read, Read] reads courses::participants;
    #[cfg(feature = "campus")]
    POST   "/courses/{id}/enrollments" enroll  Permit(Campus::Enroll on Course) + Keys [Change, Change] => courses::enroll;
    #[cfg(feature = "campus")]
    GET    "/enrollments/{id}"   getEnrollment
        Permit(Campus::ViewEnrollment on Enrollment) + Keys + Near [Read, Read] reads courses::enrollment;
    #[cfg(feature = "campus")]
    DELETE "/enrollments/{id}"   endEnrollment
        Permit(Campus::EndEnrollment on Enrollment) + Keys [Change, Change] => courses::end_enrollment;
    POST   "/authz/check"        checkPermission User + Keys + Service(AuthzCheck) [Read, Read] => roles::check;

    GET    "/admin/users"        adminListUsers
        Permit(Administer on Platform) + Service(UsersRead) [Read, AdminRead] reads admin::users;
    POST   "/admin/users/import" adminImportUsers
        Permit(Administer on Platform) + Fresh + Service(UsersImport) [Import, Import]
            reads import::age => import::import;
    GET    "/admin/users/{id}"   adminGetUser
        Permit(Administer on Platform) + Service(UsersRead) [Read, AdminRead] reads admin::user;
    PATCH  "/admin/users/{id}"   adminUpdateUser
        Permit(Administer on Platform) + FreshForSome [Login, AdminChange] reads admin::step_up => admin::change;
    DELETE "/admin/users/{id}"   adminDeleteUser
        Permit(Administer on Platform) + Fresh [Login, AdminChange] reads admin::step_up => admin::delete;
    POST   "/admin/users/{id}/logout"   adminEndSessions
        Permit(Administer on Platform) + FreshForSome [Login, AdminChange]
            reads admin::step_up => admin::end_sessions;
    POST   "/admin/users/{id}/unlock"   adminUnlockUser
        Permit(Administer on Platform) [Change, AdminChange] => admin::unlock;
    POST   "/admin/users/{id}/password-reset" adminResetPassword
        Permit(Administer on Platform) + Fresh [Login, AdminChange] reads admin::step_up => password::hand_over;
    DELETE "/admin/users/{id}/mfa"      adminResetFactors
        Permit(Administer on Platform) + Fresh [Login, AdminChange] reads admin::step_up => totp::reset;
    GET    "/admin/users/{id}/sessions" adminListSessions
        Permit(Administer on Platform) [Read, AdminRead] reads admin::sessions;
    GET    "/admin/audit-events" adminListEvents
        Permit(Administer on Platform) + Service(AuditRead) [Read, AdminRead] reads admin::events;

    GET    "/admin/service-accounts" adminListServiceAccounts
        Permit(Administer on Platform) [Read, AdminRead] reads service_accounts::list;
    POST   "/admin/service-accounts" adminCreateServiceAccount
        Permit(Administer on Platform) + Fresh [Login, AdminChange]
            reads service_accounts::step_up => service_accounts::create;
    GET    "/admin/service-accounts/{id}" adminGetServiceAccount
        Permit(Administer on Platform) [Read, AdminRead] reads service_accounts::find;
    PATCH  "/admin/service-accounts/{id}" adminUpdateServiceAccount
        Permit(Administer on Platform) + Fresh [Login, AdminChange]
            reads service_accounts::step_up => service_accounts::update;
    DELETE "/admin/service-accounts/{id}" adminDeleteServiceAccount
        Permit(Administer on Platform) + Fresh [Login, AdminChange]
            reads service_accounts::step_up => service_accounts::delete;
    GET    "/admin/service-accounts/{id}/keys" adminListServiceKeys
        Permit(Administer on Platform) [Read, AdminRead] reads service_keys::list;
    POST   "/admin/service-accounts/{id}/keys" adminCreateServiceKey
        Permit(Administer on Platform) + Fresh [Login, AdminChange]
            reads service_accounts::step_up => service_keys::create;
    DELETE "/admin/service-accounts/{id}/keys/{key_id}" adminWithdrawServiceKey
        Permit(Administer on Platform) + Fresh [Login, AdminChange]
            reads service_accounts::step_up => service_keys::withdraw;

    POST   "/oauth/token"        issueToken      Public [Service]             => oauth::token;
    POST   "/oauth/introspect"   introspect      Client + Service(Introspect) [Service, Service] => oauth::introspect;
    POST   "/oauth/revoke"       revoke          Client + Service(Introspect) [Service, Service] => oauth::revoke;

    GET    "/health"             getHealth       Public [Unlimited]           => health::health;
    GET    "/health/ready"       getReadiness    Public [Ready]               => health::ready;
    GET    "/operator/circuit-breaker" getCircuitBreaker Operator [Unlimited] => operator::inspect;
    POST   "/operator/circuit-breaker" setCircuitBreaker Operator [Unlimited] => operator::command;
    GET    "/operator/signing-keys"    listSigningKeys   Operator [Read]   => keys_operator::inspect;
    POST   "/operator/signing-keys"    changeSigningKeys Operator [Change] => keys_operator::command;
    GET    "/.well-known/jwks.json"    getKeySet       Public [PublicRead]    => key_set::key_set;
    GET    "/.well-known/oauth-authorization-server" getMetadata Public [Unlimited] => discovery::metadata;
    GET    "/.well-known/webauthn"     getRelatedOrigins Public [Unlimited]  => passkeys::related_origins;
    GET    "/openapi.json"       getOpenapiJson  Public [Unlimited]           => description::json;
    GET    "/openapi.yaml"       getOpenapiYaml  Public [Unlimited]           => description::yaml;
}

/// The paths of the API description begin with this.
const DESCRIPTION: &str = "/openapi.";

/// The router of all routes and pages that the deployment has, under the base path.
pub(super) fn router(presentation: &Presentation) -> Router {
    let (base_path, settings) = (presentation.base_path.as_str(), &presentation.pages);
    let is_served = |path: &str| settings.has_api || !path.starts_with(DESCRIPTION);
    let lines = TABLE.iter().filter(|(path, ..)| is_served(path));
    let table = lines.fold(pages::router(settings), |router, &(path, rule, method, operation)| {
        router.route(path, guarded(rule, method, operation))
    });
    let router = if base_path.is_empty() {
        table
    } else {
        // Nesting covers `/api/v1`, not `/api/v1/`.
        let nested = Router::new().nest(base_path, table);
        let nested = if settings.has_api { nested.route(&format!("{base_path}/"), pages::root()) } else { nested };
        nested.merge(discovery::beside(base_path))
    };
    router.method_not_allowed_fallback(method_not_allowed).fallback(not_found)
}

/// The fallback for unknown paths.
async fn not_found() -> Refusal {
    Code::NotFound.into()
}

/// The fallback for a known path with another method. axum adds `Allow`.
async fn method_not_allowed() -> Refusal {
    ProtocolError::MethodNotAllowed.into()
}
