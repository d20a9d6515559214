//! Courses and enrolments: the guest of the house, behind the cargo feature `campus`.

pub mod policy;
