//! Authorize: may this caller ask for this model, and which route is meant.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use llm_edge_core::date;
use llm_edge_core::http1::write;
use llm_edge_core::pass_through::covers;
use llm_edge_core::percent::decode_once;
use llm_edge_core::principal::Principal;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::routing::{self, Asked, Needs};
use llm_edge_core::scan::{self, Models};
use llm_edge_core::snapshot::{Model, Route, Snapshot};
use llm_edge_core::span::Span;
use llm_edge_core::surface::{Operation, Surface};

use super::body::{Envelope, FurtherModel};
use super::head::Head;
use crate::caller_credential::CallerCredential;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;

/// What the caller may have.
pub(crate) enum Authorized {
    /// A route to an upstream.
    Route(Rc<LoadedRoute>),
    /// The models that are listed for this caller.
    Listing(OwnReply),
}

/// A reply that is made here.
pub(crate) struct OwnReply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// What a count of tokens is worth, where it is one.
    tokens: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

impl OwnReply {
    pub(crate) fn text(status: u16, body: &str) -> Self {
        let content_type = "text/plain; charset=utf-8";
        Self { status, content_type, tokens: None, body: body.as_bytes().to_vec() }
    }

    fn json(value: &serde_json::Value) -> Self {
        let body = value.to_string().into_bytes();
        Self { status: 200, content_type: "application/json", tokens: None, body }
    }

    /// A count of tokens, and what it is worth.
    pub(crate) fn counted(body: Vec<u8>, worth: &'static str) -> Self {
        Self { status: 200, content_type: "application/json", tokens: Some(worth), body }
    }

    /// The header fields, without framing.
    pub(crate) fn write_fields(&self, out: &mut Vec<u8>) {
        write::field(out, b"content-type", self.content_type.as_bytes());
        if let Some(worth) = self.tokens {
            write::field(out, b"x-llm-edge-tokens", worth.as_bytes());
        }
    }
}

/// Finds the route of the model asked for, or lists what may be asked for.
///
/// # Errors
/// 404 with the nearest names when the model is unknown or not allowed (the two cannot be told apart from
/// outside), 400 when none is named, 401 when the route wants a credential of the caller's that was not sent.
pub(crate) fn run(
    x: &mut Exchange,
    head: &Head,
    caller: &Principal,
    envelope: &mut Envelope,
) -> Result<Authorized, Rejection> {
    fail_point!("authorize");
    let dialect = head.operation.dialect();
    if dialect.is_none() {
        return unread(x, head, caller, envelope);
    }
    if envelope.scan.models.is_some() {
        take_models(x, head, caller, envelope)?;
    }
    let Some(model) = envelope.model(&x.input)? else {
        return Err(Rejection::new(
            Code::InvalidField,
            "field `model` is missing. hint: `GET /v1/models` lists the names",
        )
        .param("model"));
    };
    match route_of(x, head, caller, &model) {
        Some(route) if route.has_rules => {
            let route = redirected(x, head, caller, envelope, &model, route);
            take(x, head, route)
        }
        Some(route) => take(x, head, route),
        None => Err(not_found(x, caller, &model)),
    }
}

/// The route of a model, if there is one and the caller may use it.
#[inline]
fn route_of(x: &Exchange, head: &Head, caller: &Principal, model: &str) -> Option<Rc<LoadedRoute>> {
    let route = x.loaded.snapshot.names.route(model, head.operation.dialect());
    route.filter(|_| caller.may_use(model)).and_then(|index| x.loaded.routes.get(index)).cloned()
}

/// Takes `models` out of the body: whom to turn to is decided here, unless every target of the first model's route has
/// that member itself.
///
/// # Errors
/// 400 where it is no list of names, 404 where one of them is unknown or not allowed.
#[cold]
fn take_models(
    x: &mut Exchange,
    head: &Head,
    caller: &Principal,
    envelope: &mut Envelope,
) -> Result<(), Rejection> {
    let body = envelope.body.of(&x.input);
    let Some(models) = Models::read(body, &envelope.scan).map_err(|e| e.rejection(body))? else {
        return Ok(());
    };
    let [first, others @ ..] = models.names.as_slice() else { return Ok(()) };
    if envelope.scan.model.is_some()
        && let Some(route) = route_of(x, head, caller, first)
        && let Some(config) = x.loaded.snapshot.routes.get(route.index)
        && x.loaded.snapshot.leaves_models(config)
    {
        return Ok(());
    }
    let mut further = Vec::new();
    for name in others {
        let Some(route) = route_of(x, head, caller, name) else {
            return Err(not_found(x, caller, name).param("models"));
        };
        let route = if route.has_rules { redirected(x, head, caller, envelope, name, route) } else { route };
        if route.caller_credential.is_some() {
            let message = format!(
                "the model `{name}` is served with the caller's own credential, and can only be asked for in `model`"
            );
            return Err(Rejection::new(Code::InvalidField, message).param("models"));
        }
        further.push(FurtherModel { name: name.as_str().into(), route });
    }
    envelope.further = further.into_boxed_slice();
    let start = envelope.body.start as usize;
    x.input.truncate(start);
    x.input.extend_from_slice(&models.body);
    envelope.body = Span::new(start, x.input.len());
    if let Some(dialect) = head.operation.dialect() {
        envelope.scan = scan::scan(&models.body, dialect).map_err(|e| e.rejection(&models.body))?;
    }
    Ok(())
}

/// The route that the rules of `route` lead to, or itself. Who may use a model may use what its rules lead to; the rules
/// of that are not looked at.
#[cold]
fn redirected(
    x: &Exchange,
    head: &Head,
    caller: &Principal,
    envelope: &Envelope,
    model: &str,
    route: Rc<LoadedRoute>,
) -> Rc<LoadedRoute> {
    let snapshot = &x.loaded.snapshot;
    let Some(config) = snapshot.routes.get(route.index) else { return route };
    let looks = config.rules.iter().any(|rule| rule.when.looks_at_needs());
    let needs = match head.operation.dialect() {
        Some(dialect) if looks => routing::needs(envelope.body.of(&x.input), dialect, &envelope.scan),
        _ => Needs::default(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let asked = Asked {
        header: &|name| x.header(name),
        key: &caller.name,
        model,
        needs,
        stream: envelope.stream,
        unix_s: now.as_secs(),
    };
    let led = config.rules.iter().find(|rule| rule.when.holds(&asked));
    let Some(other) = led.and_then(|rule| x.loaded.routes.get(rule.route)) else { return route };
    route.cells.redirects.add(1);
    Rc::clone(other)
}

/// The route is this one, and the caller has what it wants.
#[inline]
fn take(x: &mut Exchange, head: &Head, route: Rc<LoadedRoute>) -> Result<Authorized, Rejection> {
    x.facts.route = Some(route.index);
    if let Some(provider) = route.caller_credential {
        x.caller_credential = Some(bring(x, head, &route, provider)?);
    }
    Ok(Authorized::Route(route))
}

/// What is answered here, or passed on as it is.
#[cold]
fn unread(
    x: &mut Exchange,
    head: &Head,
    caller: &Principal,
    envelope: &Envelope,
) -> Result<Authorized, Rejection> {
    if head.operation.is_answered_here() {
        return list(x, head, caller).map(Authorized::Listing);
    }
    let index = if head.operation == Operation::StoredResponse {
        keeper(x, caller)?
    } else {
        passage(x, head, caller, envelope)?
    };
    let Some(route) = x.loaded.routes.get(index).cloned() else {
        return Err(Rejection::new(Code::Internal, "the route is not in the snapshot"));
    };
    take(x, head, route)
}

/// The first route with a target that keeps responses, for its rules: who has the response asked for is found by
/// asking (see [`super::route`]).
fn keeper(x: &Exchange, caller: &Principal) -> Result<usize, Rejection> {
    let snapshot = &x.loaded.snapshot;
    let keeps = |route: &Route| {
        caller.may_use_some(&route.models)
            && route.targets.iter().any(|target| target.serves(snapshot, Operation::StoredResponse))
    };
    snapshot.routes.iter().position(keeps).ok_or_else(|| {
        Rejection::new(Code::UnknownPath, "no provider that this key may use keeps responses to be asked for")
    })
}

/// The route that lets a path through: the one of the model that the body names, or else the first one that the
/// caller may use whole. With a model that has no route, one that has no models.
fn passage(x: &Exchange, head: &Head, caller: &Principal, envelope: &Envelope) -> Result<usize, Rejection> {
    let snapshot = &x.loaded.snapshot;
    let path = head.model_id.of(&x.input);
    let lets_through = |route: &&Route| {
        covers(&route.pass_through, path) && route.targets.iter().any(|t| t.serves(snapshot, head.operation))
    };
    let model = envelope.model(&x.input)?;
    let found = match &model {
        Some(model) if !caller.may_use(model) => return Err(not_found(x, caller, model)),
        Some(model) => {
            let named = snapshot.names.route(model, None);
            named.filter(|at| snapshot.routes.get(*at).as_ref().is_some_and(lets_through)).or_else(|| {
                snapshot.routes.iter().position(|route| route.models.is_empty() && lets_through(&route))
            })
        }
        None => {
            snapshot.routes.iter().position(|route| lets_through(&route) && caller.may_use_all(&route.models))
        }
    };
    found.ok_or_else(|| {
        let shown: String = path.iter().take(200).copied().map(char::from).collect();
        let with = model.map(|name| format!(" with the model `{name}`")).unwrap_or_default();
        Rejection::new(
            Code::UnknownPath,
            format!(
                "no route that this key may use passes `{shown}`{with} on. hint: list the path under `pass_through` of a route"
            ),
        )
    })
}

/// What the caller has brought for the provider.
#[cold]
fn bring(
    x: &Exchange,
    head: &Head,
    route: &LoadedRoute,
    provider: usize,
) -> Result<Box<CallerCredential>, Rejection> {
    let name = x.loaded.snapshot.routes.get(route.index).map_or("", |route| route.name.as_str());
    CallerCredential::find(x, provider, name, head.query_key().map(|key| key.of(&x.input)))
}

fn list(x: &Exchange, head: &Head, caller: &Principal) -> Result<OwnReply, Rejection> {
    let models = x.loaded.snapshot.models.iter().filter(|model| caller.may_use(&model.id));
    if head.operation == Operation::ListModels {
        let data: Vec<_> = models.map(|model| show(model, head.surface)).collect();
        return Ok(OwnReply::json(&match head.surface {
            Surface::OpenAi => serde_json::json!({"object": "list", "data": data}),
            Surface::Anthropic => {
                let id = |at: Option<&serde_json::Value>| at.and_then(|model| model.get("id")).cloned();
                serde_json::json!({
                    "data": data, "has_more": false,
                    "first_id": id(data.first()), "last_id": id(data.last()),
                })
            }
            Surface::Gemini => serde_json::json!({"models": data}),
        }));
    }
    let id = decode_once(head.model_id.of(&x.input)).ok_or_else(|| {
        Rejection::new(Code::ModelNotFound, "the model id in the path is not percent-encoded UTF-8")
    })?;
    let mut models = models;
    match models.find(|model| model.id == id) {
        Some(model) => Ok(OwnReply::json(&show(model, head.surface))),
        None => Err(not_found(x, caller, &id)),
    }
}

fn show(model: &Model, surface: Surface) -> serde_json::Value {
    match surface {
        Surface::OpenAi => serde_json::json!({
            "id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by,
        }),
        Surface::Anthropic => serde_json::json!({
            "type": "model", "id": model.id, "display_name": model.id, "created_at": date::rfc3339(model.created),
            "lifecycle": "active", "capabilities": null, "max_input_tokens": null, "max_tokens": null,
        }),
        Surface::Gemini => serde_json::json!({
            "name": format!("models/{}", model.id), "displayName": model.id,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
        }),
    }
}

fn not_found(x: &Exchange, caller: &Principal, model: &str) -> Rejection {
    let shown: String = model.chars().take(120).collect();
    let mut message = format!("the model `{shown}` does not exist here, or this key may not use it.");
    let near = nearest(x, caller, model);
    if near.is_empty() {
        message.push_str(" hint: `GET /v1/models` lists the names");
    } else {
        message.push_str(" hint: did you mean ");
        message.push_str(&near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or "));
        message.push_str("? `GET /v1/models` lists the names");
    }
    Rejection::new(Code::ModelNotFound, message).param("model")
}

/// Up to three names this caller may use, nearest first. Only near ones; at most 1,000 names are looked at.
fn nearest(x: &Exchange, caller: &Principal, model: &str) -> Vec<String> {
    let snapshot = &x.loaded.snapshot;
    let listed = snapshot.models.iter().map(|model| model.id.as_str());
    let wanted: Vec<char> = model.chars().take(64).collect();
    let mut near: Vec<(usize, Cow<'_, str>)> = with_other_providers(snapshot, model)
        .chain(listed.chain(snapshot.names.exact()).map(Cow::Borrowed))
        .filter(|name| caller.may_use(name))
        .take(1000)
        .map(|name| (distance(&wanted, &name.chars().take(64).collect::<Vec<_>>()), name))
        .filter(|(distance, name)| *distance <= name.len().max(wanted.len()) / 3)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(3).map(|(_, name)| name.into_owned()).collect()
}

/// The model at the providers that are called nearly as the one it names: of what they serve not all is listed.
fn with_other_providers<'a>(snapshot: &'a Snapshot, model: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
    let named = model.split_once('/').filter(|(provider, _)| provider.len() <= 64);
    named.into_iter().flat_map(|(provider, rest)| {
        let wanted: Vec<char> = provider.chars().collect();
        snapshot.names.prefixes().filter_map(move |prefix| {
            let known = prefix.strip_suffix('/')?;
            let away = distance(&wanted, &known.chars().collect::<Vec<_>>());
            (0 < away && away <= known.len() / 3).then(|| Cow::Owned(format!("{prefix}{rest}")))
        })
    })
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or_default();
            let cost = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            diagonal = above;
            left = cost;
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_edits() {
        let d = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!((d("kitten", "sitting"), d("", "abc"), d("abc", "abc"), d("abc", "")), (3, 3, 0, 3));
    }
}
