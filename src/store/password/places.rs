//! The places of known networks and devices: at most `MAX_KNOWN` rows per account, numbered without gaps. A row is added
//! in a free place or replaces another row, and none is ever removed singly.

/// The row of a known network or device. Every statement computes it anew, since a concurrent sign-in may have moved it.
macro_rules! known_row {
    ($tag:literal) => {
        concat!("(SELECT key FROM throttles WHERE key > :first_known AND key < :last_known AND tag = ", $tag, ")")
    };
}
pub(super) use known_row;

/// The next free place of known networks and devices; NULL if all are taken.
macro_rules! free_place {
    () => {
        "(SELECT CASE WHEN count(*) < :max_known THEN :first_known || printf('%02d', count(*)) END
          FROM throttles WHERE key > :first_known AND key < :last_known)"
    };
}
pub(super) use free_place;

/// The place to be replaced if all are taken. Counted failures are kept as long as possible:
///
/// 1. A device without failures, because it stays known without a row.
/// 2. The network without failures that is unused for longest. A row unused for 90 days counts as one without failures:
///    its network is no longer known, and the tokens of its device have expired.
/// 3. The network whose last failure is oldest. It is then unknown, so it gains no guesses.
/// 4. The device with the fewest failures. The next device continues its count, by [`failures_go_on`].
macro_rules! replaced_place {
    () => {
        "(SELECT key FROM throttles WHERE key > :first_known AND key < :last_known
          ORDER BY CASE WHEN failures = 0 OR max(coalesce(signed_in_at, 0), failed_at) <= :now - :known_for THEN 0
                        WHEN tag GLOB 'network/*' THEN 1
                        ELSE 1 + failures END,
                   tag GLOB 'network/*', max(coalesce(signed_in_at, 0), failed_at)
          LIMIT 1)"
    };
}
pub(super) use replaced_place;

/// 1 if a failure continues the count of the row that it is written to: its own, or that of a replaced device. Otherwise
/// devices that replace each other in turn would have guesses without end. 0 if a network was replaced.
macro_rules! failures_go_on {
    () => {
        "(tag IS excluded.tag OR (tag GLOB 'device/*' AND failed_at > :now - :known_for))"
    };
}
pub(super) use failures_go_on;

/// The failures since the last day without one, with those that are being counted.
macro_rules! recent_failures {
    () => {
        concat!("(recent_failures * (failed_at > :now - :day) * ", failures_go_on!(), " + :failures)")
    };
}
pub(super) use recent_failures;
