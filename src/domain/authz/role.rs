//! Roles: their names, and how far they reach. The table of permissions in `authz` says what they allow.

/// A role in a university, or on the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes courses.
    Student,
    /// Helps to teach them.
    Ta,
    /// Teaches them.
    Instructor,
    /// Runs a department.
    DepartmentAdmin,
    /// Runs a university.
    UniversityAdmin,
    /// Runs the service.
    PlatformAdmin,
}

impl Role {
    /// Every role, from the least to the most powerful.
    pub const ALL: [Self; 6] =
        [Self::Student, Self::Ta, Self::Instructor, Self::DepartmentAdmin, Self::UniversityAdmin, Self::PlatformAdmin];

    /// The name, as stored and shown.
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

    /// How far the role reaches.
    #[must_use]
    pub const fn reach(self) -> Reach {
        match self {
            Self::Student | Self::Ta | Self::Instructor => Reach::Either,
            Self::DepartmentAdmin => Reach::Department,
            Self::UniversityAdmin => Reach::University,
            Self::PlatformAdmin => Reach::Platform,
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// How far a role reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One department.
    Department,
    /// One university.
    University,
    /// One department, or the whole university.
    Either,
    /// The whole service.
    Platform,
}
