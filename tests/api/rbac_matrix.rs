//! The access matrix: every operation with a caller, for every kind of caller. Read it beside the contract's table of
//! roles; `domain::authz` states the rules in words.

use std::collections::BTreeSet;

use edge_auth::domain::mail::proof::Purpose;
use edge_auth::http::routes::{Access, ROUTES};

use crate::rbac_requests::{NEED_FACTORS, REQUESTS, budget, code};
use crate::support::contract::is_built;
use crate::support::factors::with_factors_of;
use crate::support::federation::FEDERATION;
use crate::support::identities::with_identities_of;
use crate::support::mail::planted_invitation;
use crate::support::world::{Person, World, address};

/// The callers. A digit narrows a role to a department of university 1; the resources are in department 1 or in
/// none.
///
/// `anon` has no token, `off` was a `PLATFORM_ADMIN` and is disabled, `new` has no role, `own` has none either and owns
/// the resources. `S`tudent, `T`A, `I`nstructor, `D`epartment and `U`niversity administrator, those of another
/// university after an `x`, and `PLATFORM_ADMIN`. University 1 also has administrators that are not callers.
pub const PEOPLE: [Person; 24] = [
    ("off", "PLATFORM_ADMIN"),
    ("new", ""),
    ("own", ""),
    ("S", "STUDENT@1"),
    ("S1", "STUDENT@1/1"),
    ("S2", "STUDENT@1/2"),
    ("T", "TA@1"),
    ("T1", "TA@1/1"),
    ("T2", "TA@1/2"),
    ("I", "INSTRUCTOR@1"),
    ("I1", "INSTRUCTOR@1/1"),
    ("I2", "INSTRUCTOR@1/2"),
    ("D1", "DEPARTMENT_ADMIN@1/1"),
    ("D2", "DEPARTMENT_ADMIN@1/2"),
    ("U", "UNIVERSITY_ADMIN@1"),
    ("xS", "STUDENT@2"),
    ("xT", "TA@2"),
    ("xI", "INSTRUCTOR@2"),
    ("xD", "DEPARTMENT_ADMIN@2/4"),
    ("xU", "UNIVERSITY_ADMIN@2"),
    ("P", "PLATFORM_ADMIN"),
    // Not callers: these users are granted roles, or lose them.
    ("plain", ""),
    ("other", "STUDENT@1 TA@1 INSTRUCTOR@1 UNIVERSITY_ADMIN@1 UNIVERSITY_ADMIN@2 PLATFORM_ADMIN"),
    ("other1", "STUDENT@1/1 TA@1/1 INSTRUCTOR@1/1 DEPARTMENT_ADMIN@1/1"),
];

/// The expected status. 409: the caller is allowed, but the university is not empty. Without mail, its operations are 404.
const MATRIX: &str = "
operation                       anon off new own   S  S1  S2   T  T1  T2   I  I1  I2  D1  D2   U  xS  xT  xI  xD  xU   P

logoutAll                        401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
listSessions                     401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
endSession                       401 403 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204
getCurrentUser                   401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
updateProfile                    401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
requestVerification              404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404
verifyEmail                      404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404
changePassword                   401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
changeEmail                      401 403 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404
exportData                       401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
deleteAccount                    401 403 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204
deleteAccountByPost              401 403 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204
listApiKeys                      401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
createApiKey                     401 403 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201
withdrawApiKey                   401 403 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204
stepUp                           401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
getFactors                       401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
requestEnrolmentCode             401 403 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404
enrolTotp                        401 403 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201
confirmTotp                      401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
removeTotp                       401 403 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204
replaceRecoveryCodes             401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
confirmFactors                   401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
listPasskeys                     401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
startPasskeyRegistration         401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
registerPasskey                  401 403 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201 201
renamePasskey                    401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
removePasskey                    401 403 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204
startFederatedSignIn             200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
startFederatedSignIn link        401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
exchangeFederatedCode            200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
exchangeFederatedCode link       401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
signInWithIdToken                200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
signInWithIdToken link           401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
requestStepUpCode                401 403 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404
listIdentities                   401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
unlinkIdentity                   401 403 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204 204

listUniversities                 401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
createUniversity                 401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 201
getUniversity                    401 403 404 404 200 200 200 200 200 200 200 200 200 200 200 200 404 404 404 404 404 200
updateUniversity                 401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 403 404 404 404 404 404 200
deleteUniversity                 401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 403 404 404 404 404 404 409
listDepartments                  401 403 404 404 200 200 200 200 200 200 200 200 200 200 200 200 404 404 404 404 404 200
createDepartment                 401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 201 404 404 404 404 404 201
deleteDepartment                 401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204

listRoles                        401 403 404 404 403 403 403 403 403 403 403 403 403 200 200 200 404 404 404 404 404 200
listInvitations                  401 403 404 404 403 403 403 403 403 403 403 403 403 200 200 200 404 404 404 404 404 200
withdrawInvitation               401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204
acceptInvitation                 401 403 201 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403
grantRole STUDENT@1              401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 202 404 404 404 404 404 202
grantRole STUDENT@1/1            401 403 404 404 403 403 403 403 403 403 403 403 403 202 403 202 404 404 404 404 404 202
grantRole TA@1                   401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 202 404 404 404 404 404 202
grantRole TA@1/1                 401 403 404 404 403 403 403 403 403 403 403 403 403 202 403 202 404 404 404 404 404 202
grantRole INSTRUCTOR@1           401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 202 404 404 404 404 404 202
grantRole INSTRUCTOR@1/1         401 403 404 404 403 403 403 403 403 403 403 403 403 202 403 202 404 404 404 404 404 202
grantRole DEPARTMENT_ADMIN@1/1   401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 202 404 404 404 404 404 202
grantRole UNIVERSITY_ADMIN@1     401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 202 404 404 404 404 404 202
grantRole PLATFORM_ADMIN         401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 403 404 404 404 404 404 202
removeRole STUDENT@1             401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204
removeRole STUDENT@1/1           401 403 404 404 403 403 403 403 403 403 403 403 403 204 403 204 404 404 404 404 404 204
removeRole TA@1                  401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204
removeRole TA@1/1                401 403 404 404 403 403 403 403 403 403 403 403 403 204 403 204 404 404 404 404 404 204
removeRole INSTRUCTOR@1          401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204
removeRole INSTRUCTOR@1/1        401 403 404 404 403 403 403 403 403 403 403 403 403 204 403 204 404 404 404 404 404 204
removeRole DEPARTMENT_ADMIN@1/1  401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204
removeRole UNIVERSITY_ADMIN@1    401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204
removeRole PLATFORM_ADMIN        401 403 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 204

listUniversityCourses            401 403 404 404 200 200 200 200 200 200 200 200 200 200 200 200 404 404 404 404 404 200
createCourse                     401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 201 404 404 404 404 404 201
createCourse in 1                401 403 404 404 403 403 403 403 403 403 403 403 403 201 403 201 404 404 404 404 404 201
listCourses                      200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
getCourse public                 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
getCourse unpublished            404 404 404 404 200 200 200 200 200 200 200 200 200 200 200 200 404 404 404 404 404 200
updateCourse                     401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 200 404 404 404 404 404 200
updateCourse in 1                401 403 404 404 403 403 403 403 403 403 403 403 403 200 403 200 404 404 404 404 404 200
deleteCourse                     401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204
deleteCourse in 1                401 403 404 404 403 403 403 403 403 403 403 403 403 204 403 204 404 404 404 404 404 204

listEnrollments                  401 403 404 404 403 403 403 200 403 403 200 403 403 403 403 200 404 404 404 404 404 200
listEnrollments in 1             401 403 404 404 403 403 403 200 200 403 200 200 403 200 403 200 404 404 404 404 404 200
enroll                           401 403 404 404 201 403 403 403 403 403 403 403 403 403 403 403 404 404 404 404 404 403
enroll in 1                      401 403 404 404 201 201 403 403 403 403 403 403 403 403 403 403 404 404 404 404 404 403
enroll unpublished               401 403 404 404 403 403 403 403 403 403 403 403 403 403 403 403 404 404 404 404 404 403
getEnrollment                    401 403 404 200 403 403 403 200 403 403 200 403 403 403 403 200 404 404 404 404 404 200
getEnrollment in 1               401 403 404 200 403 403 403 200 200 403 200 200 403 200 403 200 404 404 404 404 404 200
endEnrollment                    401 403 404 204 403 403 403 403 403 403 403 403 403 403 403 204 404 404 404 404 404 204
endEnrollment in 1               401 403 404 204 403 403 403 403 403 403 403 403 403 204 403 204 404 404 404 404 404 204

checkPermission                  401 403 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
adminListUsers                   401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminImportUsers                 401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminGetUser                     401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminUpdateUser                  401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminDeleteUser                  401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 204
adminEndSessions                 401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminUnlockUser                  401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminResetPassword               401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 201
adminResetFactors                401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 204
adminListSessions                401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminListEvents                  401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminListServiceAccounts         401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminCreateServiceAccount        401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 201
adminGetServiceAccount           401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminUpdateServiceAccount        401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminDeleteServiceAccount        401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 204
adminListServiceKeys             401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 200
adminCreateServiceKey            401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 201
adminWithdrawServiceKey          401 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 204";

/// The request behind a line of the matrix.
pub fn request(world: &World, line: &str) -> String {
    let (operation, role) = line.split_once(' ').unwrap_or((line, ""));
    if operation == "grantRole" {
        let (name, place) = role.split_once('@').unwrap_or((role, ""));
        let department = place.split_once('/').map_or("null", |(_, department)| department);
        let body = format!(r#"{{"email": "plain@example.com", "role": "{name}", "department_id": {department}}}"#);
        return filled(world, &format!("POST /universities/1/roles {body}"));
    }
    if operation == "removeRole" {
        let holder = if role.contains('/') { "other1" } else { "other" };
        return format!("DELETE /universities/1/roles/{}", world.grant(holder, role));
    }
    let lines = REQUESTS.lines().filter_map(|line| line.split_once("  "));
    let (_, request) = lines.into_iter().find(|(known, _)| *known == line).unwrap();
    filled(world, request.trim())
}

/// Fills in the ids that depend on the world.
fn filled(world: &World, request: &str) -> String {
    let mut request = request.replace("{plain}", &world.id("plain").to_string());
    if request.contains("{session}") {
        request = request.replace(
            "{session}",
            &world.service.db.one::<i64>("SELECT coalesce(max(id), 1) FROM sessions").to_string(),
        );
    }
    if request.contains("{invitation}") {
        planted_invitation(&world.service.db, Purpose::Invite, "else@example.com", "TA");
        request = request.replace("{invitation}", "1");
    }
    if request.contains("INVITE_LINK") {
        let token = planted_invitation(&world.service.db, Purpose::InviteHandOver, &address("new"), "TA");
        request = request.replace("INVITE_LINK", &token);
    }
    request
}

/// One cell, in a world of its own.
async fn check(line: &str, caller: &str, status: u16) {
    let world = World::through(&PEOPLE, &FEDERATION, |db| db);
    world.enroll("own", 1);
    world.enroll("own", 3);
    let operation = line.split(' ').next().unwrap();
    let owner = if caller == "anon" || operation == "adminResetFactors" { "plain" } else { caller };
    if NEED_FACTORS.contains(&operation) {
        with_factors_of(&world.service.db, owner, "TOTP_CODE {passkey}");
    }
    let visitor = if caller == "anon" {
        world.anonymous()
    } else {
        world.add_key(caller, 7);
        world.sign_in(caller).await
    };
    world.set_active("off", false);
    let request = with_factors_of(&world.service.db, owner, &request(&world, line));
    let request = with_identities_of(&world.service.db, owner, &request);
    let before = world.dump();
    let reply = visitor.ask(&request).await;
    assert_eq!(reply.status, status, "{line}, asked by {caller}: {reply:?}");
    assert_eq!(reply.body["error"]["code"].as_str(), code(status, caller), "{line}, asked by {caller}");
    let calls = world.service.last_d1_calls();
    assert!(calls <= budget(operation), "{line}, asked by {caller}: {calls} round trips");
    assert!(status != 401 || calls == 0, "{line}: no database call without a token");
    assert!(status != 403 || caller != "off" || calls == 1, "{line}: one round trip finds the disabled caller");
    let has_changed = world.dump() != before;
    let is_visible = matches!(status, 201 | 204) && operation != "endSession";
    assert!(status < 400 || !has_changed, "{line}, asked by {caller}: refused, but data changed");
    assert!(!is_visible || has_changed, "{line}, asked by {caller}: allowed, but nothing changed");
}

/// The columns of the matrix: the callers.
pub fn callers() -> Vec<&'static str> {
    MATRIX.lines().find(|line| !line.is_empty()).unwrap()[32..].split_whitespace().collect()
}

/// The parts of the matrix, each with its lines: the operation and one status per caller.
pub fn parts() -> Vec<Vec<(&'static str, Vec<&'static str>)>> {
    let line = |line: &'static str| (line[..32].trim(), line[32..].split_whitespace().collect());
    MATRIX.split("\n\n").skip(1).map(|part| part.lines().map(line).collect()).collect()
}

/// Every cell of the part that begins with this operation. The parts are separate tests and run in parallel.
async fn check_part(beginning: &str) {
    let parts = parts();
    let part = parts.iter().find(|part| part[0].0 == beginning).unwrap();
    for (line, statuses) in part.iter().filter(|(line, _)| is_built(line)) {
        assert_eq!(statuses.len(), callers().len(), "{line}");
        for (caller, status) in callers().iter().zip(statuses) {
            check(line, caller, status.parse().unwrap()).await;
        }
    }
}

#[tokio::test]
async fn the_matrix_holds_for_accounts() {
    check_part("logoutAll").await;
}

#[tokio::test]
async fn the_matrix_holds_for_universities() {
    check_part("listUniversities").await;
}

#[tokio::test]
async fn the_matrix_holds_for_roles() {
    check_part("listRoles").await;
}

#[tokio::test]
async fn the_matrix_holds_for_courses() {
    check_part("listUniversityCourses").await;
}

#[tokio::test]
async fn the_matrix_holds_for_enrolments() {
    check_part("listEnrollments").await;
}

#[tokio::test]
async fn the_matrix_holds_for_the_platform() {
    check_part("checkPermission").await;
}

#[test]
fn the_matrix_covers_every_operation_with_a_caller() {
    let is_asked = |access: Access| matches!(access, Access::User | Access::OptionalUser | Access::Permit(..));
    let routes = ROUTES.iter().filter(|route| is_asked(route.access)).map(|route| route.operation_id);
    let lines = parts().concat();
    let asked = lines.iter().map(|(line, _)| line.split(' ').next().unwrap()).filter(|operation| is_built(operation));
    assert_eq!(asked.collect::<BTreeSet<_>>(), routes.collect());
    assert_eq!(parts().len(), 6, "each part has a test");
    let distinct: BTreeSet<_> = lines.iter().map(|(line, _)| line).collect();
    assert_eq!(distinct.len(), lines.len(), "no line twice");
}
