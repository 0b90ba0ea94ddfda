//! A decision as a table, for whoever asks why: by the same functions that decide on the way of a request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use twox_hash::XxHash3_64;

use super::decide::{cost, exclusion, rank_of};
use super::{
    Ask, Asked, Capabilities, Exclusion, Live, Needs, Picker, Present, Standing, conversation, needs,
};
use crate::percent::decode_once;
use crate::scan::{self, Models, Scan};
use crate::snapshot::{AffinityBy, ModelFacts, Route, Snapshot, Strategy, Target};
use crate::strategy::rendezvous;
use crate::surface::{Endpoint, Operation, Surface, endpoint};

/// Tokens that a reply is taken to have before there was one.
pub const OUTPUT_TOKENS: u64 = 256;

/// A request about which it is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question<'a> {
    /// Path of the request, without query.
    pub path: String,
    /// Header fields by their lower-case names.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, JSON.
    #[serde(borrow)]
    pub body: &'a RawValue,
    /// Name of the caller's key.
    #[serde(default)]
    pub key: String,
    /// When, in seconds since 1970.
    #[serde(default)]
    pub unix_s: u64,
    /// What chance would say.
    #[serde(default)]
    pub random: u64,
    /// What is known of targets at the moment, by `provider/model`, where that is not told otherwise.
    #[serde(default)]
    pub live: BTreeMap<String, Live>,
}

/// How a request is routed, and why.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// What is asked to be done.
    pub operation: Operation,
    /// The model as the client calls it.
    pub model: String,
    /// The rule that leads elsewhere, if one does.
    pub redirect: Option<Redirect>,
    /// What the request needs.
    pub needs: Capabilities,
    /// Tokens of its prompt, an estimate.
    pub input_tokens: u64,
    /// Tokens that are expected to be generated.
    pub output_tokens: u64,
    /// The route, then its fallbacks, then those of the models that the request would have asked next, in the order in
    /// which they are tried.
    pub routes: Vec<Table>,
}

/// A rule that leads a request to another route.
#[derive(Debug, Serialize)]
pub struct Redirect {
    /// The route that has it.
    pub from: String,
    /// Its place there, counted from 0.
    pub rule: usize,
}

/// One route's part.
#[derive(Debug, Serialize)]
pub struct Table {
    /// Its name.
    pub route: String,
    /// The model by which it is asked, as the client calls it.
    pub model: String,
    /// Its strategy.
    pub strategy: Strategy,
    /// The policy that may rank the targets otherwise; it is not asked here.
    pub policy: Option<String>,
    /// Every target.
    pub targets: Vec<Row>,
}

/// How a target stands in a decision.
#[derive(Debug, Serialize)]
pub struct Row {
    /// `provider/model`, with `*` where the client names the model.
    pub target: String,
    /// As which it is asked, counted from 1 over all routes; none where it is not.
    pub asked: Option<usize>,
    /// Whether, and before whom.
    pub standing: Standing,
    /// Why not, if not: `operation`, a capability, `context_window`.
    pub excluded: Option<&'static str>,
    /// What the strategy goes by, the lower the better; none for those that go by turn, chance or order.
    pub rank: Option<u64>,
    /// What the request is expected to cost there, in nano-USD, rounded up; none where the price is not known.
    pub cost_nano_usd: Option<u64>,
    /// What is known of it at the moment.
    pub live: Live,
}

/// The name by which a target is known in every instance.
pub fn identity(snapshot: &Snapshot, target: &Target) -> String {
    let provider = snapshot.providers.get(target.provider).map_or("", |provider| provider.name.as_str());
    format!("{provider}/{}", target.model.label())
}

/// The target with the model that is asked there, for whoever asks: `provider/model`, with `*` for a name that is not
/// printable ASCII.
pub fn asked_at(snapshot: &Snapshot, target: &Target, written: Option<&str>) -> String {
    let model = written.map(|written| target.model.of(written));
    let Some(model) = model.filter(|model| model.bytes().all(|b| b.is_ascii_graphic())) else {
        return identity(snapshot, target);
    };
    let provider = snapshot.providers.get(target.provider).map_or("", |provider| provider.name.as_str());
    format!("{provider}/{model}")
}

/// Decides as for a request that comes first to a fresh instance.
///
/// # Errors
/// The request would be refused before it is routed; why.
pub fn explain(snapshot: &Snapshot, question: &Question<'_>) -> Result<Explanation, String> {
    let body = question.body.get().as_bytes();
    let by_header = || Surface::OpenAi;
    let path = question.path.split('?').next().unwrap_or_default();
    let Endpoint::Api { operation, model_id, .. } = endpoint(b"POST", path.as_bytes(), by_header) else {
        return Err(format!("`{}` is no path of an API that is called with POST", question.path));
    };
    let Some(dialect) = operation.dialect() else {
        return Err(format!("`{}` is not routed by what its body asks for", operation.name()));
    };
    let found = scan::scan(body, dialect).map_err(|e| e.rejection(body).message)?;
    let models = Models::read(body, &found).map_err(|e| e.rejection(body).message)?;
    let first = models.as_ref().and_then(|models| models.names.first().cloned());
    let model = match model_id {
        Some(id) => decode_once(id),
        None => first.or_else(|| found.model?.decode(body).ok().map(std::borrow::Cow::into_owned)),
    };
    let model = model.ok_or("the request names no model")?;
    let route_of = |model: &str| {
        let index = snapshot.names.route(model, Some(dialect));
        let route = index.and_then(|index| snapshot.routes.get(index));
        route.ok_or_else(|| format!("the model `{model}` does not exist here"))
    };
    let named = route_of(&model)?;
    let stream = operation.streams().unwrap_or(found.stream == Some(true));
    let needed = needs(body, dialect, &found);
    let led = |named, model: &str| {
        let rule = redirect(named, question, model, needed, stream);
        let other = rule.and_then(|rule| snapshot.routes.get(named.rules.get(rule)?.route));
        (rule, other.unwrap_or(named))
    };
    let (redirect, route) = led(named, &model);
    let mut chain: Vec<(&Route, &str)> = snapshot.chain(route).map(|route| (route, model.as_str())).collect();
    let left = (model_id.is_some() || found.model.is_some()) && snapshot.leaves_models(named);
    // The first is the one above, or the one that the path has overruled.
    let first = usize::from(model_id.is_none() || found.model.is_some());
    let further = models.iter().filter(|_| !left).flat_map(|models| models.names.iter().skip(first));
    for name in further.filter(|name| **name != model) {
        chain.push((led(route_of(name)?, name).1, name));
    }
    let affine = chain.iter().map(|(route, _)| route).find(|route| route.strategy == Strategy::Affinity);
    let ask = Ask {
        needs: needed,
        output_tokens: output_tokens(&found, OUTPUT_TOKENS),
        affinity: affine.map_or(0, |route| {
            let header = |name: &str| question.headers.get(name).map(String::as_bytes);
            affinity(route, &question.key, header, || conversation(body, dialect)).unwrap_or(question.random)
        }),
    };
    let mut asked = 0;
    let routes = chain
        .iter()
        .map(|(route, model)| {
            let now = Imagined { snapshot, route, model, operation, stream, live: &question.live };
            table(snapshot, route, &ask, &now, question.random, &mut asked)
        })
        .collect();
    Ok(Explanation {
        operation,
        redirect: redirect.map(|rule| Redirect { from: named.name.clone(), rule }),
        model,
        needs: needed.capabilities,
        input_tokens: needed.input_tokens,
        output_tokens: ask.output_tokens,
        routes,
    })
}

/// Tokens that are expected to be generated, where replies have so many on average.
pub fn output_tokens(found: &Scan, usual: u64) -> u64 {
    found.max_tokens.map_or(usual, |most| most.min(usual))
}

/// What a request belongs to on a route; `None` where nothing says so.
pub fn affinity<'a>(
    route: &Route,
    key: &str,
    header: impl Fn(&str) -> Option<&'a [u8]>,
    conversation: impl Fn() -> Option<u64>,
) -> Option<u64> {
    match &route.affinity {
        AffinityBy::Key => Some(rendezvous::identity(key)),
        AffinityBy::Conversation => conversation(),
        AffinityBy::Header(name) => header(name).map(XxHash3_64::oneshot).or_else(conversation),
    }
}

fn redirect(
    route: &Route,
    question: &Question<'_>,
    model: &str,
    needs: Needs,
    stream: bool,
) -> Option<usize> {
    let asked = Asked {
        header: &|name| question.headers.get(name).map(String::as_bytes),
        key: &question.key,
        model,
        needs,
        stream,
        unix_s: question.unix_s,
    };
    route.rules.iter().position(|rule| rule.when.holds(&asked))
}

fn table(
    snapshot: &Snapshot,
    route: &Route,
    ask: &Ask,
    now: &Imagined<'_>,
    random: u64,
    asked: &mut usize,
) -> Table {
    let mut picker = Picker::new(route, |target| identity(snapshot, target));
    let order = match picker.decide(route, ask, now, random) {
        Ok(decision) => picker.order(route, ask, now, decision.target),
        Err(_) => Vec::new(),
    };
    let row = |(at, target): (usize, &Target)| Row {
        asked: order.iter().position(|asked| *asked == at).map(|place| place + *asked + 1),
        excluded: exclusion(now.facts(target), ask, now.serves(at)).map(Exclusion::name),
        ..row(snapshot, route, target, now.facts(target), ask, picker.standing(at), now.live(at))
    };
    let targets = route.targets.iter().enumerate().map(row).collect();
    *asked += order.len();
    Table {
        route: route.name.clone(),
        model: now.model.to_owned(),
        strategy: route.strategy,
        // Of one target there is nothing to rank.
        policy: route.policy.as_ref().filter(|_| route.targets.len() > 1).map(|policy| policy.name.clone()),
        targets,
    }
}

/// How a target stands, whoever is asked first.
pub fn row(
    snapshot: &Snapshot,
    route: &Route,
    target: &Target,
    facts: &ModelFacts,
    ask: &Ask,
    standing: Standing,
    live: Live,
) -> Row {
    let ranked = matches!(route.strategy, Strategy::LeastInFlight | Strategy::Latency | Strategy::Cost);
    let unpriced = route.strategy == Strategy::Cost && facts.price.is_none();
    Row {
        target: identity(snapshot, target),
        asked: None,
        standing,
        excluded: None,
        rank: (ranked && !unpriced).then(|| rank_of(route.strategy, target.weight, facts, ask, live)),
        cost_nano_usd: cost(facts, ask, live).map(|pico| pico.div_ceil(1000)),
        live,
    }
}

/// What is said to be known.
struct Imagined<'a> {
    snapshot: &'a Snapshot,
    route: &'a Route,
    model: &'a str,
    operation: Operation,
    stream: bool,
    live: &'a BTreeMap<String, Live>,
}

impl Present for Imagined<'_> {
    fn serves(&self, at: usize) -> bool {
        let target = self.route.targets.get(at);
        let provider = target.and_then(|target| self.snapshot.providers.get(target.provider));
        provider.is_some_and(|provider| provider.serve(self.operation, self.stream).is_some())
    }

    fn live(&self, at: usize) -> Live {
        let target = self.route.targets.get(at);
        let live = target.and_then(|target| self.live.get(&identity(self.snapshot, target)));
        live.copied().unwrap_or_default()
    }

    fn facts<'t>(&'t self, target: &'t Target) -> &'t ModelFacts {
        self.snapshot.facts(target, self.model)
    }
}
