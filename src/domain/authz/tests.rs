//! The table of permissions, repeated in the form of the contract, and the rules around it.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn id<T>(new: fn(i64) -> Option<T>, value: i64) -> T {
    new(value).unwrap()
}

fn university(value: i64) -> UniversityId {
    id(UniversityId::new, value)
}

fn department(value: i64) -> DepartmentId {
    id(DepartmentId::new, value)
}

fn user(value: i64) -> UserId {
    id(UserId::new, value)
}

/// A grant in university 1, or everywhere.
fn grant(role: Role, in_department: Option<i64>) -> RoleGrant {
    let university_id = (role != PlatformAdmin).then(|| university(1));
    RoleGrant { id: id(GrantId::new, 1), role, university_id, department_id: in_department.map(department) }
}

fn may(grant: RoleGrant, permission: Permission, resource: &Resource) -> bool {
    decide(user(7), &[grant], permission, resource).is_ok()
}

/// Each role, university-wide, on a resource of its own university: one letter per permission, `y`es or `n`o, in the
/// order of the table.
#[test]
fn each_role_has_the_permissions_of_the_contract() {
    let table = [
        // universities platform view departments roles, grant and remove S T I D U P, courses view enroll list view end
        (Student, "n n y n n nnnnnn nnnnnn n y y n n n"),
        (Ta, "n n y n n nnnnnn nnnnnn n y n y y n"),
        (Instructor, "n n y n n nnnnnn nnnnnn n y n y y n"),
        (DepartmentAdmin, "n n y n y yyynnn yyynnn y y n y y y"),
        (UniversityAdmin, "n n y y y yyyyyn yyyyyn y y n y y y"),
        (PlatformAdmin, "y y y y y yyyyyy yyyyyy y y n y y y"),
    ];
    for (role, expected) in table {
        // A department administrator is checked inside the department.
        let narrowed = (role == DepartmentAdmin).then_some(4);
        let resource = Resource::within(university(1), narrowed.map(department));
        let found: String = Permission::all()
            .map(|(_, permission)| if may(grant(role, narrowed), permission, &resource) { 'y' } else { 'n' })
            .collect();
        let expected = expected.replace(' ', "");
        // The last six letters are those of courses and enrolments.
        let length = if cfg!(feature = "campus") { expected.len() } else { expected.len() - 6 };
        assert_eq!(found, expected[..length], "{role:?}");
    }
}

#[test]
fn a_department_narrows_a_role() {
    let inside = Resource::within(university(1), Some(department(4)));
    let beside = Resource::within(university(1), Some(department(5)));
    let above = Resource::university(university(1));
    let student = Permission::GrantRole(Student);
    assert!(may(grant(DepartmentAdmin, Some(4)), student, &inside));
    for resource in [beside, above] {
        let refused = decide(user(7), &[grant(DepartmentAdmin, Some(4))], student, &resource);
        assert_eq!(refused, Err(Denial::Forbidden));
    }
    assert!(may(grant(UniversityAdmin, None), student, &beside), "without a department it covers all");
    assert!(may(grant(Student, Some(4)), Permission::ViewUniversity, &beside), "a department does not narrow viewing");
}

#[test]
fn resources_of_another_university_are_invisible() {
    let elsewhere = Resource { owner: Some(user(8)), ..Resource::university(university(2)) };
    for (_, permission) in Permission::all() {
        for role in Role::ALL.into_iter().filter(|role| *role != PlatformAdmin) {
            let refused = decide(user(7), &[grant(role, None)], permission, &elsewhere);
            assert_eq!(refused, Err(Denial::Invisible), "{role:?} {permission:?}");
        }
        assert_eq!(decide(user(7), &[], permission, &elsewhere), Err(Denial::Invisible));
    }
}

#[test]
fn resources_of_the_service_are_visible_but_need_a_platform_administrator() {
    let service = Resource::default();
    for permission in [Permission::Administer, Permission::ManageUniversities] {
        assert_eq!(decide(user(7), &[], permission, &service), Err(Denial::Forbidden));
        let refused = decide(user(7), &[grant(UniversityAdmin, None)], permission, &service);
        assert_eq!(refused, Err(Denial::Forbidden));
        assert!(may(grant(PlatformAdmin, None), permission, &service));
    }
}

#[test]
fn an_owner_needs_no_role() {
    let mine = Resource { owner: Some(user(7)), ..Resource::university(university(1)) };
    let permission = Permission::RemoveRole(Ta);
    assert_eq!(decide(user(7), &[], permission, &mine), Ok(AllowedBy::Ownership));
    assert_eq!(decide(user(8), &[], permission, &mine), Err(Denial::Invisible));
    assert_eq!(decide(user(8), &[grant(Student, None)], permission, &mine), Err(Denial::Forbidden));
    assert_eq!(decide(user(7), &[], Permission::ViewRoles, &mine), Err(Denial::Invisible));
}

#[test]
fn the_least_powerful_allowing_grant_is_reported() {
    let grants = [grant(PlatformAdmin, None), grant(UniversityAdmin, None), grant(Instructor, None)];
    let here = Resource::university(university(1));
    let allowed = decide(user(7), &grants, Permission::ViewUniversity, &here);
    assert_eq!(allowed, Ok(AllowedBy::RoleGrant(grant(Instructor, None))));
}

#[test]
fn no_role_grants_a_role_above_itself() {
    for role in Role::ALL {
        for wanted in Role::ALL.into_iter().filter(|wanted| *wanted > role) {
            let department = (role == DepartmentAdmin).then_some(4);
            let resource = Resource::within(university(1), department.map(self::department));
            assert!(!may(grant(role, department), Permission::GrantRole(wanted), &resource), "{role:?} {wanted:?}");
        }
    }
}

#[test]
fn every_permission_has_one_row_and_one_name() {
    let names: std::collections::BTreeSet<_> = Permission::all().map(|(name, _)| name).collect();
    assert_eq!(names.len(), Permission::all().count());
    for role in Role::ALL {
        for permission in [Permission::GrantRole(role), Permission::RemoveRole(role)] {
            assert_eq!(Permission::all().filter(|(_, other)| *other == permission).count(), 1, "{permission:?}");
        }
        assert_eq!(Role::parse(role.as_str()), Some(role));
    }
    assert_eq!(Role::parse("student"), None);
}

#[test]
fn a_role_is_narrowed_only_in_its_own_university_and_with_a_fitting_role() {
    let is_narrowed_in = |grants: &[RoleGrant]| is_narrowed(grants, Permission::ViewRoles, university(1));
    let elsewhere = RoleGrant { university_id: Some(university(2)), ..grant(DepartmentAdmin, Some(9)) };
    assert!(!is_narrowed_in(&[grant(UniversityAdmin, None), grant(Student, Some(5)), elsewhere]));
    assert!(is_narrowed_in(&[elsewhere, grant(DepartmentAdmin, Some(4))]));
}
