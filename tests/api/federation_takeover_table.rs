//! The outcome of a first visit for each account that has the address, and each owner of the identity.

/// Account, owner of the identity, and the word of the provider about the address. Behind them the outcomes: where the
/// provider is authoritative for the address with mail, without mail, and with mail that each registration waits for; then the
/// same where it is not. One outcome is that of all six.
pub const TABLE: &str = "
none           no     verified    created_proven created_proven created_proven created_unproven created_unproven code_mailed
none           no     unverified  verified_email_required
none           no     absent      verified_email_required
none           other  verified    signed_in_as_other
none           other  unverified  signed_in_as_other
none           other  absent      signed_in_as_other
unverified     no     verified    joined_emptied joined_emptied joined_emptied code_mailed account_exists code_mailed
unverified     no     unverified  verified_email_required
unverified     no     absent      verified_email_required
unverified     own    verified    signed_in
unverified     own    unverified  signed_in
unverified     own    absent      signed_in
unverified     other  verified    signed_in_as_other
unverified     other  unverified  signed_in_as_other
unverified     other  absent      signed_in_as_other
verified       no     verified    joined joined joined code_mailed account_exists code_mailed
verified       no     unverified  verified_email_required
verified       no     absent      verified_email_required
verified       own    verified    signed_in
verified       own    unverified  signed_in
verified       own    absent      signed_in
verified       other  verified    signed_in_as_other
verified       other  unverified  signed_in_as_other
verified       other  absent      signed_in_as_other
disabled       no     verified    disabled disabled disabled code_mailed account_exists code_mailed
disabled       no     unverified  verified_email_required
disabled       no     absent      verified_email_required
disabled       own    verified    disabled
disabled       own    unverified  disabled
disabled       own    absent      disabled
disabled       other  verified    signed_in_as_other
disabled       other  unverified  signed_in_as_other
disabled       other  absent      signed_in_as_other
factor         no     verified    factor_due factor_due factor_due code_mailed account_exists code_mailed
factor         no     unverified  verified_email_required
factor         no     absent      verified_email_required
factor         own    verified    factor_due
factor         own    unverified  factor_due
factor         own    absent      factor_due
factor         other  verified    signed_in_as_other
factor         other  unverified  signed_in_as_other
factor         other  absent      signed_in_as_other
administrator  no     verified    code_mailed account_exists code_mailed code_mailed account_exists code_mailed
administrator  no     unverified  verified_email_required
administrator  no     absent      verified_email_required
administrator  own    verified    signed_in
administrator  own    unverified  signed_in
administrator  own    absent      signed_in
administrator  other  verified    signed_in_as_other
administrator  other  unverified  signed_in_as_other
administrator  other  absent      signed_in_as_other
";

/// The same for rarer accounts, and rarer owners of the identity.
pub const FURTHER: &str = "
platform_administrator    no               verified    code_mailed account_exists code_mailed code_mailed account_exists code_mailed
department_administrator  no               verified    code_mailed account_exists code_mailed code_mailed account_exists code_mailed
unverified_administrator  no               verified    code_mailed account_exists code_mailed code_mailed account_exists code_mailed
factor_administrator      no               verified    code_mailed account_exists code_mailed code_mailed account_exists code_mailed
factor_administrator      own              verified    factor_due
passwordless              no               verified    joined joined joined code_mailed account_exists code_mailed
passwordless              own              absent      signed_in
unverified_passwordless   no               verified    joined_emptied joined_emptied joined_emptied code_mailed account_exists code_mailed
unverified_factor         no               verified    joined_emptied joined_emptied joined_emptied code_mailed account_exists code_mailed
unverified_factor         own              verified    factor_due
unverified_disabled       no               verified    disabled disabled disabled code_mailed account_exists code_mailed
disabled_factor           no               verified    factor_due factor_due factor_due code_mailed account_exists code_mailed
disabled_factor           own              verified    factor_due
disabled_administrator    no               verified    code_mailed account_exists code_mailed code_mailed account_exists code_mailed
reserved                  no               verified    account_exists
reserved                  other            verified    signed_in_as_other
verified                  suspended        verified    401
verified                  suspended        absent      401
disabled                  suspended        verified    401
factor                    suspended        verified    401
verified                  other_suspended  verified    401
none                      other_suspended  verified    401
verified                  other_disabled   verified    disabled
none                      other_disabled   absent      disabled
verified                  other_factor     verified    factor_due
none                      other_factor     unverified  factor_due
verified                  other_unverified verified    signed_in_as_other
";
