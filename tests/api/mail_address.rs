//! A change of address: its evidence, its proof, its limits, and its end.

use edge_auth::domain::mail::proof::Purpose;
use serde_json::json;

use crate::support::change::{NEXT, address_of, ask_for_change, change, changed, key, pending, proven, verify};
use crate::support::mail::{MAIL, code_of, forgot, reset, settle, with};
use crate::support::{EMAIL, PASSWORD, Service};

const NEW_PASSWORD: &str = "staple battery horse correct";

#[tokio::test]
async fn the_address_changes_once_the_new_one_is_proven() {
    let (service, tokens) = proven().await;
    service.db.execute("UPDATE users SET mail_refused_at = 5");
    let (flow, letter) = pending(&service, &tokens.access, "Next@Example.com ").await;
    assert!(letter.0["text"].as_str().unwrap().contains("https://login.example.com/verify#token="));
    assert_eq!(address_of(&service), EMAIL);
    let code = json!({"flow": flow, "code": letter.code()});
    let reply = verify(&service, &code).await.expect(200);
    assert_eq!(reply.body, json!({"email": NEXT, "email_verified": true}));
    let notice = service.mailbox.take_one();
    assert_eq!((notice.to(), notice.subject()), (EMAIL, "Your address for edge-auth was changed"));
    assert!(notice.0["text"].as_str().unwrap().contains("https://login.example.com/undo#token="));
    let me = service.me(&tokens.access).await.expect(200).body;
    assert_eq!((&me["email"], &me["email_verified"]), (&json!(NEXT), &json!(true)), "the session goes on");
    service.login(NEXT, PASSWORD).await.expect(200);
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let row = "SELECT email_verified_at > 1 AND mail_refused_at IS NULL FROM users";
    assert!(service.db.one::<bool>(row));
    let events = format!("{:?}", service.db.rows("SELECT * FROM audit_events WHERE type = 'email_changed'"));
    assert!(events.contains("email_changed") && !events.contains('@'), "{events}");
}

/// As at a verification: the owner of the mailbox must not confirm the wish of a stranger by a click.
#[tokio::test]
async fn the_link_needs_the_account_beside_it() {
    for way in ["token", "flow", "password", "code"] {
        let (service, tokens) = proven().await;
        let other = service.register("other@example.com").await;
        let (flow, letter) = pending(&service, &tokens.access, NEXT).await;
        let token = letter.token();
        let (foreign, _) = pending(&service, &other.access, "third@example.com").await;
        for body in [json!({}), json!({"password": "wrong"}), json!({"flow": foreign}), json!({"flow": "1.a"})] {
            let mut body = body;
            body["token"] = json!(token);
            verify(&service, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        }
        let link = json!({"token": token});
        let reply = service.call("POST", "/auth/email/verify", &other.access, Some(&link)).await;
        reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        let reply = match way {
            "token" => service.call("POST", "/auth/email/verify", &tokens.access, Some(&link)).await,
            "flow" => verify(&service, &json!({"token": token, "flow": flow})).await,
            "password" => verify(&service, &json!({"token": token, "password": PASSWORD})).await,
            _ => verify(&service, &json!({"flow": flow, "code": letter.code()})).await,
        };
        assert_eq!(reply.expect(200).body["email"], NEXT, "{way}");
    }
}

#[tokio::test]
async fn asking_needs_a_recent_sign_in_or_the_password() {
    let (service, tokens) = proven().await;
    service.advance(601);
    ask_for_change(&service, &tokens.access, NEXT).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    for (password, status) in [("wrong", 401), (PASSWORD, 202)] {
        let body = json!({"new_email": NEXT, "password": password});
        service.call("PUT", "/users/me/email", &tokens.access, Some(&body)).await.expect(status);
        settle().await;
    }
    assert_eq!(service.mailbox.take_one().to(), NEXT);
    let key = key(&service, &service.login(EMAIL, PASSWORD).await.tokens().access).await;
    ask_for_change(&service, &key, "third@example.com").await.expect(403);
}

#[tokio::test]
async fn faults_of_a_change_are_reported_and_without_mail_there_is_none() {
    let (service, tokens) = proven().await;
    for body in
        [json!({}), json!({"new_email": "no address"}), json!({"new_email": format!(" {EMAIL} ").to_uppercase()})]
    {
        let reply = service.call("PUT", "/users/me/email", &tokens.access, Some(&body)).await.expect(422);
        assert_eq!(reply.body["error"]["details"]["errors"][0]["loc"], json!(["body", "new_email"]), "{body}");
    }
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    ask_for_change(&service, &tokens.access, NEXT).await.expect_error(404, "NOT_FOUND");
    for path in ["/auth/email/undo", "/auth/email/not-me"] {
        service.post(path, &json!({"token": "1.a"})).await.expect_error(404, "NOT_FOUND");
    }
}

/// Free, taken, disabled, and reserved by an undo: the same answer, statements, rows and tasks.
#[tokio::test]
async fn a_taken_address_is_answered_alike_and_told() {
    let (service, tokens) = proven().await;
    for name in ["known", "disabled", "moved"] {
        service.register(&format!("{name}@example.com")).await;
    }
    service.db.execute("UPDATE users SET email_verified_at = 1");
    service.db.execute("UPDATE users SET is_active = 0 WHERE email = 'disabled@example.com'");
    let moved = service.login("moved@example.com", PASSWORD).await.tokens();
    changed(&service, &moved.access, "elsewhere@example.com").await;
    let mut costs = Vec::new();
    let mut flows = Vec::new();
    for name in ["free", "known", "disabled", "moved"] {
        let before = service.db.one::<i64>("SELECT total_changes()");
        let reply = ask_for_change(&service, &tokens.access, &format!("{name}@example.com")).await.expect(202);
        let rows = service.db.one::<i64>("SELECT total_changes()") - before;
        flows.push(reply.body["flow"].clone());
        costs.push((reply.body["message"].clone(), reply.headers.len(), service.last_d1_calls(), rows));
    }
    assert!(costs.windows(2).all(|pair| pair[0] == pair[1]), "{costs:?}");
    let mails = service.mailbox.take();
    let mails: Vec<_> = mails.iter().map(|mail| (mail.to(), mail.subject())).collect();
    let taken = "Your address for edge-auth";
    let expected = [
        ("free@example.com", "Confirm your new address for edge-auth"),
        ("known@example.com", taken),
        ("disabled@example.com", taken),
        ("moved@example.com", taken),
    ];
    assert_eq!(mails, expected);
    // Not even the right code, which was not mailed, is of use.
    for flow in &flows[1..] {
        let id = flow.as_str().unwrap().split_once('.').unwrap().0.parse().unwrap();
        let code = json!({"flow": flow, "code": code_of(Purpose::ChangeAddress, id)});
        verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(address_of(&service), EMAIL);
}

#[tokio::test]
async fn an_address_that_was_registered_concurrently_voids_the_change() {
    let (service, tokens) = proven().await;
    let (flow, letter) = pending(&service, &tokens.access, NEXT).await;
    service.register(NEXT).await;
    let code = json!({"flow": flow, "code": letter.code()});
    verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(address_of(&service), EMAIL);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs WHERE purpose = 'undo'"), 0);
}

#[tokio::test]
async fn of_two_pending_changes_the_first_proven_wins() {
    let (service, tokens) = proven().await;
    let (first, letter) = pending(&service, &tokens.access, NEXT).await;
    let (second, other) = pending(&service, &tokens.access, "third@example.com").await;
    verify(&service, &json!({"flow": second, "code": other.code()})).await.expect(200);
    service.mailbox.take();
    verify(&service, &json!({"flow": first, "code": letter.code()}))
        .await
        .expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(address_of(&service), "third@example.com");
}

#[tokio::test]
async fn a_new_password_a_disabled_account_and_the_end_of_all_sessions_void_a_pending_change() {
    for way in ["change", "reset", "sign out", "disable", "sign out by an administrator"] {
        let (service, tokens) = proven().await;
        let (flow, letter) = pending(&service, &tokens.access, NEXT).await;
        match way {
            "change" => {
                let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
                service.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await.expect(200);
            }
            "reset" => {
                let (letter, _) = forgot(&service).await;
                reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
            }
            "sign out" => {
                service.call("POST", "/auth/logout-all", &tokens.access, None).await.expect(200);
            }
            by_administrator => {
                let root = service.register("root@example.com").await;
                service.db.execute(
                    "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (2, 'PLATFORM_ADMIN', 1)",
                );
                if by_administrator != "disable" {
                    service.call("POST", "/admin/users/1/logout", &root.access, None).await.expect(200);
                }
                for is_active in [false, true].into_iter().filter(|_| by_administrator == "disable") {
                    let body = json!({"is_active": is_active});
                    service.call("PATCH", "/admin/users/1", &root.access, Some(&body)).await.expect(200);
                }
            }
        }
        let code = json!({"flow": flow, "code": letter.code()});
        verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(address_of(&service), EMAIL, "{way}");
    }
}

/// It may be the mailbox of another person.
#[tokio::test]
async fn an_unproven_former_address_gets_no_notice_and_no_undo() {
    let service = with(MAIL, &[]);
    let tokens = service.register(EMAIL).await;
    assert_eq!(change(&service, &tokens.access, NEXT).await.len(), 0);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs"), 0);
    service.register(EMAIL).await;
}

/// A link that was mailed to the former address is of no use to its next owner.
#[tokio::test]
async fn links_to_the_former_address_are_void() {
    let (service, tokens) = proven().await;
    let (letter, _) = forgot(&service).await;
    changed(&service, &tokens.access, NEXT).await;
    reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(NEXT, PASSWORD).await.expect(200);
}

/// One mail a minute and five an hour for a network, as for every mail that strangers ask for.
#[tokio::test]
async fn an_address_cannot_be_filled_with_proofs_of_changes() {
    let (service, tokens) = proven().await;
    let mut mails = 0;
    for minute in 0..20 {
        for _ in 0..2 {
            ask_for_change(&service, &tokens.access, NEXT).await.expect(202);
        }
        mails += service.mailbox.take().len();
        if minute < 9 {
            service.advance(60);
        }
    }
    assert_eq!(mails, 5);
    // Another account from the same network is no way around.
    let other = service.register("other@example.com").await;
    ask_for_change(&service, &other.access, NEXT).await.expect(202);
    assert_eq!(service.mailbox.take().len(), 0);
}
