//! The house: five floors above each other, the same corridors on each, and no circle between files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{assert_none, code, files, offenders, within};

/// The folders that a floor may have: capabilities, and what belongs to no capability.
const CORRIDORS: [&str; 14] = [
    "account",
    "password",
    "session",
    "authz",
    "tenant",
    "campus",
    "mail",
    "keys",
    "factor",
    "machine",
    "federation",
    "audit",
    "platform",
    "kit",
];

/// Beside the corridors, in `domain` only.
const DOMAIN_ROOMS: [&str; 3] = ["settings", "limits", "breaker"];

/// The files that may name `campus`: its own, the lists of modules and routes, and the three seams. These are the look-up
/// of a resource, by a path or by a permission check; the rows of the permission table; and the register of user data.
const CAMPUS_SEAMS: [&str; 15] = [
    "domain/mod.rs",
    "http/mod.rs",
    "http/routes.rs",
    "service/mod.rs",
    "store/mod.rs",
    // The look-up of a resource.
    "http/kit/path_resource.rs",
    "http/kit/context.rs",
    "http/authz/roles.rs",
    "service/authz/check.rs",
    "store/authz/resources.rs",
    "store/authz/guard.rs",
    // The rows of the permission table.
    "domain/authz/mod.rs",
    "domain/authz/row.rs",
    "service/authz/caller.rs",
    // The register of user data.
    "store/account/user_data.rs",
];

#[test]
fn dependencies_point_downwards() {
    assert_none(&offenders(&["shell"], &["worker::", "js_sys", "wasm_bindgen::JsValue", "getrandom::"]));
    assert_none(&offenders(&["shell", "http"], &["axum"]));
    assert_none(&within(
        "domain",
        &["crate::ports", "crate::store", "crate::service", "crate::http", "async ", "tracing::"],
    ));
    assert_none(&within("ports", &["crate::store", "crate::service", "crate::http", "crate::shell"]));
    assert_none(&within("store", &["crate::service", "crate::http", "crate::shell"]));
    assert_none(&within("service", &["crate::http", "crate::shell", "SELECT ", "INSERT ", "UPDATE "]));
    assert_none(&within("http", &["crate::shell", "SELECT ", "INSERT ", "UPDATE "]));
}

/// A floor's folders have the names of corridors, so a newcomer who knows the capability knows the folder.
#[test]
fn floors_have_the_same_corridors() {
    for floor in ["domain", "store", "service", "http"] {
        for entry in fs::read_dir(source().join(floor)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let is_room = floor == "domain" && DOMAIN_ROOMS.contains(&name.as_str());
            let is_kit = name == "kit" && floor != "http";
            let fits = (CORRIDORS.contains(&name.as_str()) && !is_kit) || is_room;
            assert!(entry.path().is_file() || fits, "{floor}/{name} is no corridor");
        }
    }
}

/// `http` may read what a row says, and never asks the database: it imports types of the store, no functions.
#[test]
fn http_imports_only_types_of_the_store() {
    for (file, uses) in graph_of_uses("http") {
        for path in uses.iter().filter(|path| path.starts_with("store::")) {
            let last = path.rsplit("::").next().unwrap();
            assert!(last.starts_with(|c: char| c.is_ascii_uppercase()), "{file} uses {path}");
        }
    }
}

#[test]
fn campus_is_known_only_by_its_seams() {
    for path in files("src", "rs") {
        let name = path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned();
        let is_inside = name.split('/').any(|folder| folder == "campus");
        let names_it = code(&path).contains("campus") && !name.ends_with("tests.rs");
        assert!(!names_it || is_inside || CAMPUS_SEAMS.contains(&name.as_str()), "{name} names campus");
    }
}

#[test]
fn no_two_files_depend_on_each_other_in_a_circle() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for floor in ["domain", "ports", "store", "service", "http", "shell"] {
        for (file, uses) in graph_of_uses(floor) {
            let targets = uses.iter().filter_map(|path| file_of(path)).filter(|target| *target != file);
            edges.entry(file.clone()).or_default().extend(targets);
        }
    }
    for start in edges.keys() {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&String> = edges[start].iter().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(edges.get(next).into_iter().flatten());
            }
        }
        let circle: Vec<_> =
            reached.iter().filter(|other| edges.get(**other).is_some_and(|targets| targets.contains(start))).collect();
        assert!(!reached.contains(start), "{start} depends on itself through one of {circle:?}");
    }
}

fn source() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files of a floor, each with the paths that it uses, without `crate::`. Tests within a file do not count: they may
/// use anything.
fn graph_of_uses(floor: &str) -> Vec<(String, BTreeSet<String>)> {
    let paths = files(&format!("src/{floor}"), "rs");
    let is_code = |path: &std::path::PathBuf| !path.file_name().unwrap().to_str().unwrap().ends_with("tests.rs");
    let uses = |path: std::path::PathBuf| {
        let text = code(&path);
        let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
        let name = path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned();
        (name, paths_in(&text))
    };
    paths.into_iter().filter(is_code).map(uses).collect()
}

/// Every `crate::…` path of a text, with `{…}` groups written out. Re-exports (`pub use`) give a name, and do not count.
fn paths_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.split(';') {
        let is_reexport = line.trim_start().starts_with("pub use");
        for (at, _) in line.match_indices("crate::").filter(|_| !is_reexport) {
            let rest = &line[at + "crate::".len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
            let (prefix, tail) = rest.split_at(end);
            match tail.strip_prefix('{').and_then(|group| group.split('}').next()) {
                Some(group) if prefix.ends_with("::") => {
                    let names = group.split(',').map(str::trim).filter(|name| !name.is_empty());
                    found.extend(names.map(|name| format!("{prefix}{}", name.split(' ').next().unwrap())));
                }
                _ => drop(found.insert(prefix.trim_end_matches(':').to_owned())),
            }
        }
    }
    found.into_iter().map(|path| path.trim_end_matches("::self").to_owned()).collect()
}

/// The file that defines what a path names: of the longest module in the path, or the file that this module's re-export
/// leads to.
fn file_of(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.split("::").collect();
    (1..=segments.len()).rev().find_map(|length| {
        let (module, rest) = segments.split_at(length);
        let module = module.join("/");
        let candidates = [format!("{module}.rs"), format!("{module}/mod.rs")];
        let file = candidates.into_iter().find(|file| source().join(file).is_file())?;
        let Some(name) = rest.first().filter(|_| file.ends_with("/mod.rs")) else { return Some(file) };
        Some(reexported(&file, &module, name).unwrap_or(file))
    })
}

/// The file behind `pub use child::Name` in a `mod.rs`.
fn reexported(file: &str, module: &str, name: &str) -> Option<String> {
    let text = code(&source().join(file));
    let statements = text.split(';').map(str::trim);
    let exports = statements.filter_map(|statement| statement.rsplit_once("pub use ").map(|(_, export)| export));
    let is_word = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
    let export = exports.into_iter().find(|export| is_word(export))?;
    let absolute = export.strip_prefix("crate::").map(str::to_owned);
    let path = absolute.unwrap_or_else(|| format!("{}::{export}", module.replace('/', "::")));
    let path = path.split('{').next()?.trim_end_matches(':').to_owned();
    file_of(&path).filter(|found| found != file)
}
