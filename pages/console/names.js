// The names of the API that the console offers for a choice, in the order of the description. A test compares them with it.

/** The filter of events. */
export const EVENT_TYPES = [
  "registered", "imported", "registration_refused", "signed_in", "sign_in_refused", "refreshed", "refresh_refused",
  "reuse_detected", "signed_out", "session_ended", "sessions_ended", "profile_changed", "password_changed",
  "password_reset", "password_reset_handed_over", "email_verified", "email_changed", "email_change_undone", "not_me",
  "password_change_refused", "exported", "deleted", "deletion_refused", "step_up_refused", "role_granted",
  "role_removed", "invitation_created", "invitation_withdrawn", "disabled", "enabled", "unlocked",
  "university_created", "university_changed", "university_deleted", "department_created", "department_deleted",
  "course_created", "course_changed", "course_deleted", "enrollment_ended", "factor_added", "factor_removed",
  "factor_renamed", "recovery_codes_replaced", "factors_confirmed", "factors_reset", "second_factor_refused",
  "identity_linked", "identity_unlinked", "api_key_created", "api_key_withdrawn", "service_account_created",
  "service_account_changed", "service_account_deleted", "service_account_key_created", "service_account_key_withdrawn",
  "service_network_used", "breaker_commanded", "access_refused", "signing_algorithm_changed", "signing_key_rotated", "signing_key_revoked",
  "signing_key_replaced",
];

/** The rights of service accounts. */
export const SCOPES = [
  "introspect", "authz:check", "users:read", "users:import", "roles:grant", "audit:read", "client-address",
];
