//! Roles: their names and their scope. The table in `domain::authz` says which permissions they give.

/// A role of a user, in one university or platform-wide. The order is from least to most powerful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Enrols in published courses.
    Student,
    /// Teaching assistant: sees the enrolments of courses.
    Ta,
    /// Teaches courses, and sees their enrolments.
    Instructor,
    /// Manages the courses, enrolments and lower roles of one department.
    DepartmentAdmin,
    /// Manages the departments, courses and roles of one university.
    UniversityAdmin,
    /// Manages universities and all users; the role covers every university.
    PlatformAdmin,
}

impl Role {
    /// Every role, from the least to the most powerful.
    pub const ALL: [Self; 6] =
        [Self::Student, Self::Ta, Self::Instructor, Self::DepartmentAdmin, Self::UniversityAdmin, Self::PlatformAdmin];

    /// The name, in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Student => "STUDENT",
            Self::Ta => "TA",
            Self::Instructor => "INSTRUCTOR",
            Self::DepartmentAdmin => "DEPARTMENT_ADMIN",
            Self::UniversityAdmin => "UNIVERSITY_ADMIN",
            Self::PlatformAdmin => "PLATFORM_ADMIN",
        }
    }

    /// Where the role can be granted.
    #[must_use]
    pub const fn reach(self) -> Reach {
        match self {
            Self::Student | Self::Ta | Self::Instructor => Reach::Either,
            Self::DepartmentAdmin => Reach::Department,
            Self::UniversityAdmin => Reach::University,
            Self::PlatformAdmin => Reach::Platform,
        }
    }

    /// The role with this name, which is case-sensitive.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Where a role can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only in one department.
    Department,
    /// Only in a whole university.
    University,
    /// In one department, or in the whole university.
    Either,
    /// Platform-wide, without a university.
    Platform,
}

impl Reach {
    /// Can the role be narrowed to a department?
    #[must_use]
    pub const fn takes_department(self) -> bool {
        matches!(self, Self::Department | Self::Either)
    }

    /// Must the role be narrowed to a department?
    #[must_use]
    pub const fn needs_department(self) -> bool {
        matches!(self, Self::Department)
    }
}

/// Roles as a text in which a statement looks for `'"' || role || '"'`.
#[must_use]
pub fn names_text(roles: &[Role]) -> String {
    let names: Vec<String> = roles.iter().map(|role| format!("\"{}\"", role.as_str())).collect();
    format!("[{}]", names.join(","))
}
