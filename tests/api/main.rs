//! API tests, in process: the real router, over the real migrations on `SQLite`.
//!
//! D1 is `SQLite`, so these run the SQL that is deployed. Every reply of every test is checked against
//! `openapi.yaml` on its way back (see `support::contract`).

#![expect(unreachable_pub, reason = "a test binary has no outside that could reach anything")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a panic is how a test fails")]

mod access;
mod account;
mod acts;
mod admin;
mod api_key_ends;
mod api_keys;
mod attribution;
mod audit;
mod authenticator;
mod authz;
#[cfg(feature = "campus")]
mod authz_courses;
mod bodies;
mod bounded_lists;
mod breaker;
mod breaker_object;
mod clean_up;
mod configuration;
mod contract;
#[cfg(feature = "campus")]
mod courses;
mod credentials;
mod crowds;
mod discovery;
mod every_statement;
mod every_statement_requests;
mod factor_devices;
mod factor_guesses;
mod factor_passkey_challenges;
mod factor_passkey_second;
mod factor_passkey_sign_in;
mod factor_passkeys;
mod factor_sign_in;
mod factor_totp;
mod failures;
mod full_database;
mod introspection;
mod invitations;
mod invited_registrations;
mod key_rotation;
mod last_administrator;
mod limit_numbers;
mod limited_routes;
mod limits;
mod logs;
mod lost_answers;
mod lost_answers_requests;
mod mail_address;
mod mail_limits;
mod mail_not_me;
mod mail_notices;
mod mail_outbox;
mod mail_required;
mod mail_reset;
mod mail_sign_in;
mod mail_switched_on;
mod mail_thieves;
mod mail_undo;
mod mail_verification;
mod migrations;
mod migrations_events;
mod migrations_machines;
mod migrations_sessions;
mod migrations_throttles;
mod named_clients;
mod oauth;
mod overtaken;
mod paging;
mod properties;
mod queries;
mod rbac_matrix;
mod rbac_requests;
mod refreshing;
mod refusals;
mod registering;
mod request_order;
mod responses;
mod role_limits;
mod roles;
mod round_trips;
mod round_trips_requests;
mod service_accounts;
mod session_model;
mod sessions;
mod signing_attacks;
mod signing_changes;
mod signing_in;
mod signing_keys;
mod signing_out;
mod spoofing;
mod statements;
mod step_up;
mod step_up_races;
mod support;
mod tenants;
mod throttle;
mod throttle_devices;
mod throttle_networks;
mod throttle_places;
mod unresolved;
