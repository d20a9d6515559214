//! An operation as the table of routes has it: its plan and its handler, both of a type that does not name their arguments
//! and results. So the access rule, the limits and the reading of a body are compiled once, not once for each operation.

use std::pin::Pin;

use axum::body::Body;
use axum::http::Extensions;
use axum::http::request::Parts;
use axum::response::Response;

use crate::domain::settings::Settings;
use crate::http::kit::body::{BodyKind, FromBody, read_fields};
use crate::http::kit::extract::FromParts;
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::lines::Streamed;
use crate::http::kit::query;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::admission::Reading;

/// The read of an operation, made of its path, its query and the subject of its token. The access rule takes it along in
/// the batch that reads the caller. A plan is not async: it builds statements and cannot run them.
pub(in crate::http) type Plan = fn(&mut Parts) -> Result<Reading<Planned>, Refusal>;

/// Takes the handler's arguments from the head of a request.
pub(in crate::http) type Start = fn(&mut Parts) -> Result<Started, Refusal>;

/// A handler at work. All handlers have one type of result, so that none needs a second future around its own.
type Answer = Pin<Box<dyn Future<Output = Result<Response, Refusal>> + Send>>;

/// Takes the argument that is the body, and runs the handler.
type Resume = Box<dyn FnOnce(&mut Fields, &Settings) -> Result<Answer, Invalid> + Send>;

/// The result of a plan.
pub(in crate::http) enum Planned {
    /// The response, of an operation that only reads.
    Response(Response),
    /// Holds the handler's argument [`Fetched`].
    Extensions(Extensions),
}

/// The result of the route's plan, for its handler.
#[derive(Clone)]
pub(in crate::http) struct Fetched<T>(pub(in crate::http) T);

impl<T: Clone + Send + Sync + 'static> FromParts for Fetched<T> {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        parts.extensions.get().cloned().ok_or_else(|| Refusal::internal("the route has another plan"))
    }
}

/// A handler that has its arguments, but for the body.
pub(in crate::http) enum Started {
    Running(Answer),
    AwaitsBody {
        kind: BodyKind,
        resume: Resume,
    },
    /// The handler reads the body itself.
    Streams(Box<dyn FnOnce(Streamed) -> Answer + Send>),
}

/// The plan and the handler of a route.
#[derive(Clone, Copy)]
pub(in crate::http) struct Operation {
    pub(in crate::http) plan: Option<Plan>,
    start: Start,
}

impl Operation {
    /// An operation that only reads. Its plan says how to respond, too.
    pub(in crate::http) const fn reads(plan: Plan) -> Self {
        Self { plan: Some(plan), start: |_| Err(Refusal::internal("the plan did not respond")) }
    }

    pub(in crate::http) const fn acts(plan: Option<Plan>, start: Start) -> Self {
        Self { plan, start }
    }

    /// Runs the handler, and reads the body before, if the handler takes one.
    pub(in crate::http) async fn run(self, mut parts: Parts, body: Body) -> Result<Response, Refusal> {
        let answer = match (self.start)(&mut parts)? {
            Started::Running(answer) => answer,
            Started::AwaitsBody { kind, resume } => {
                let (mut fields, configured) = read_fields(parts, body, kind).await?;
                let answer = resume(&mut fields, configured.settings());
                answer.map_err(|Invalid| fields.into_refusal())?
            }
            Started::Streams(resume) => resume(Streamed::new(parts, body)),
        };
        answer.await
    }
}

/// The plan of an operation that only reads.
pub(in crate::http) fn responding<I: FromParts>(
    parts: &mut Parts,
    plan: fn(I) -> Reading<Response>,
) -> Result<Reading<Planned>, Refusal> {
    Ok(plan(input_of(parts)?).map(Planned::Response))
}

/// The plan of an operation with a handler.
pub(in crate::http) fn fetching<I: FromParts, T: Clone + Send + Sync + 'static>(
    parts: &mut Parts,
    plan: fn(I) -> Reading<T>,
) -> Result<Reading<Planned>, Refusal> {
    Ok(plan(input_of(parts)?).map(|result| {
        let mut extensions = Extensions::new();
        extensions.insert(Fetched(result));
        Planned::Extensions(extensions)
    }))
}

/// The input of a plan. An operation whose plan reads no query takes no parameters.
fn input_of<I: FromParts>(parts: &mut Parts) -> Result<I, Refusal> {
    let input = I::from_parts(parts)?;
    query::refuse_unread(parts)?;
    Ok(input)
}

/// An async function whose arguments are taken from a request. `Taken` lists them, so that functions of all kinds can have
/// the trait.
pub(in crate::http) trait Handler<Taken> {
    fn start(self, parts: &mut Parts) -> Result<Started, Refusal>;
}

/// Handlers of one number of arguments, with a body as the last one, whole or streamed, or without.
macro_rules! handlers {
    ($(($($part:ident),*))*) => {$(
        #[allow(non_snake_case, unused_variables, reason = "an argument has the name of its type")]
        impl<F, Answering, $($part,)*> Handler<((), $($part,)*)> for F
        where
            F: FnOnce($($part),*) -> Answering,
            Answering: Future<Output = Result<Response, Refusal>> + Send + 'static,
            $($part: FromParts,)*
        {
            fn start(self, parts: &mut Parts) -> Result<Started, Refusal> {
                $(let $part = $part::from_parts(parts)?;)*
                Ok(Started::Running(Box::pin(self($($part),*))))
            }
        }

        #[allow(non_snake_case, unused_variables, reason = "an argument has the name of its type")]
        impl<F, Answering, B, $($part,)*> Handler<(B, $($part,)*)> for F
        where
            F: FnOnce($($part,)* B) -> Answering + Send + 'static,
            Answering: Future<Output = Result<Response, Refusal>> + Send + 'static,
            B: FromBody,
            $($part: FromParts + Send + 'static,)*
        {
            fn start(self, parts: &mut Parts) -> Result<Started, Refusal> {
                $(let $part = $part::from_parts(parts)?;)*
                let resume = |fields: &mut Fields, settings: &Settings| {
                    Ok(Box::pin(self($($part,)* B::from_body(fields, settings)?)) as Answer)
                };
                Ok(Started::AwaitsBody { kind: B::KIND, resume: Box::new(resume) })
            }
        }

        #[allow(non_snake_case, unused_variables, reason = "an argument has the name of its type")]
        impl<F, Answering, $($part,)*> Handler<(Streamed, $($part,)*)> for F
        where
            F: FnOnce($($part,)* Streamed) -> Answering + Send + 'static,
            Answering: Future<Output = Result<Response, Refusal>> + Send + 'static,
            $($part: FromParts + Send + 'static,)*
        {
            fn start(self, parts: &mut Parts) -> Result<Started, Refusal> {
                $(let $part = $part::from_parts(parts)?;)*
                Ok(Started::Streams(Box::new(|streamed| Box::pin(self($($part,)* streamed)))))
            }
        }
    )*};
}

handlers! {
    ()
    (P1)
    (P1, P2)
    (P1, P2, P3)
    (P1, P2, P3, P4)
    (P1, P2, P3, P4, P5)
}
