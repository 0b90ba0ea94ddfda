//! Policy: who comes first, by the word of a policy of the operator's own. Without a word in time it stays as the route's
//! strategy has it, and that is counted.

use std::rc::Rc;

use llm_edge_core::routing::{self, Present};
use serde::Serialize;

use super::guard::Screened;
use super::head::Head;
use super::route::{Moment, Plan};
use crate::backends::policies::Silence;
use crate::exchange::Exchange;

/// What a policy is asked.
#[derive(Serialize)]
struct Question<'a> {
    route: &'a str,
    model: &'a str,
    key: &'a str,
    operation: &'static str,
    stream: bool,
    needs: routing::Capabilities,
    input_tokens: u64,
    output_tokens: u64,
    targets: Vec<routing::Row>,
}

/// Indices into [`crate::telemetry::bank::POLICY_RESULTS`].
const RANKED: usize = 0;
const LATE: usize = 1;
const FAILED: usize = 2;
const BUSY: usize = 3;
const UNKNOWN_TARGET: usize = 4;

/// Asks the route's policy and puts those first whom it names, in its order.
pub(crate) async fn rank(x: &Exchange, head: &Head, plan: &mut Plan, screened: &Screened) {
    let route = Rc::clone(&plan.route);
    let Some((asker, deadline)) = &route.policy else { return };
    let Some((question, names)) = question(x, head, plan, screened) else { return };
    let result = match asker.ask(question, *deadline).await {
        Ok(answer) => match order(&answer, &names) {
            Some(ranked) => {
                plan.rank(ranked);
                RANKED
            }
            None => UNKNOWN_TARGET,
        },
        Err(Silence::Late) => LATE,
        Err(Silence::Failed) => FAILED,
        Err(Silence::Busy) => BUSY,
    };
    if let Some(cell) = route.cells.policy.get(result) {
        cell.add(1);
    }
}

/// The question, and for each target that may be asked its name and place.
fn question(
    x: &Exchange,
    head: &Head,
    plan: &Plan,
    screened: &Screened,
) -> Option<(String, Vec<(String, usize)>)> {
    let (snapshot, ask) = (&x.loaded.snapshot, plan.ask());
    let config = snapshot.routes.get(plan.route.index)?;
    let envelope = screened.envelope();
    let moment = Moment::new(x, &plan.route, head, screened);
    let picker = plan.route.picker.borrow();
    let rows: Vec<_> = config
        .targets
        .iter()
        .enumerate()
        .filter(|(at, target)| moment.exclusion(*at, target, &ask).is_none())
        .map(|(at, target)| {
            (
                at,
                routing::row(
                    snapshot,
                    config,
                    target,
                    moment.facts(target),
                    &ask,
                    picker.standing(at),
                    moment.live(at),
                ),
            )
        })
        .collect();
    let names = rows.iter().map(|(at, row)| (row.target.clone(), *at)).collect();
    let model = envelope.model(&x.input).ok()??;
    let question = Question {
        route: &config.name,
        model: &model,
        key: x.facts.principal.as_ref().map_or("", |caller| &caller.name),
        operation: head.operation.name(),
        stream: envelope.stream,
        needs: ask.needs.capabilities,
        input_tokens: ask.needs.input_tokens,
        output_tokens: ask.output_tokens,
        targets: rows.into_iter().map(|(_, row)| row).collect(),
    };
    Some((serde_json::to_string(&question).ok()?, names))
}

/// The places of those that are named; `None` where nobody is, or somebody who may not be asked. Of two targets with one
/// name the first that was not named yet is meant.
fn order(answer: &str, names: &[(String, usize)]) -> Option<Vec<usize>> {
    let named: Vec<String> = serde_json::from_str(answer).ok()?;
    let mut ranked = Vec::with_capacity(named.len().min(names.len()));
    for name in &named {
        let found = names.iter().find(|(known, at)| known == name && !ranked.contains(at));
        ranked.push(found?.1);
    }
    (!ranked.is_empty()).then_some(ranked)
}
