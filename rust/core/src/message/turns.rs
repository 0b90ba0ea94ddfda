//! Turns as Anthropic's and Google's models want them, and where in them Anthropic's cache the prompt, by whichever
//! API the models are reached.
//!
//! Invariants: a turn depends on what was said up to its end only, so that a conversation is a prefix of its
//! continuation; there are never more than [`MARKERS_MAX`] markers.
//!
//! An operator's message in the middle of the conversation becomes a block of the user's turn in
//! `<system>…</system>`: moved to the top it would change the prefix of every later turn, and the role `system`
//! among the messages is known to some models only.
//!
//! Source: Anthropic API reference, "Create a Message"; "Prompt caching".

use super::{Block, Losses, Maker, Part, Request, Role, Text, Turn};

/// Most cache markers that a request may have.
const MARKERS_MAX: usize = 4;

/// The marker that is set for clients that set none.
pub(crate) const EPHEMERAL: &str = r#"{"type":"ephemeral"}"#;

/// A turn as the models want it: speakers alternate, results of tools first.
pub(crate) struct Merged<'r> {
    pub(crate) assistant: bool,
    pub(crate) pieces: Vec<Piece<'r>>,
}

/// A block of it.
pub(crate) struct Piece<'r> {
    pub(crate) block: &'r Block<'r>,
    /// Said by the operator.
    system: bool,
}

impl Piece<'_> {
    /// What the operator says here, marked as such.
    pub(crate) fn of_operator(&self) -> Option<Text<'static>> {
        match &self.block.part {
            Part::Text(text) if self.system => {
                Some(Text::escaped(format!("<system>{}</system>", text.raw())))
            }
            _ => None,
        }
    }
}

/// The turns of `request`, less the blocks that are not acceptable.
pub(crate) fn merged<'r>(
    request: &'r Request<'r>,
    losses: &mut Losses,
    is_acceptable: impl Fn(&Turn<'_>, &Block<'_>, &mut Losses) -> bool,
) -> Vec<Merged<'r>> {
    let mut turns: Vec<Merged<'r>> = Vec::with_capacity(request.turns.len());
    for turn in &request.turns {
        let system = turn.role == Role::System;
        losses.add_if(system, "messages[].role");
        let said = turn.blocks.iter().filter(|block| is_acceptable(turn, block, losses));
        let pieces = said.map(|block| Piece { block, system });
        let assistant = turn.role == Role::Assistant;
        match turns.last_mut() {
            Some(last) if last.assistant == assistant => last.pieces.extend(pieces),
            _ => turns.push(Merged { assistant, pieces: pieces.collect() }),
        }
        if turns.last().is_some_and(|last| last.pieces.is_empty()) {
            turns.pop();
        }
    }
    for turn in turns.iter_mut().filter(|turn| !turn.assistant) {
        turn.pieces.sort_by_key(|piece| !matches!(piece.block.part, Part::ToolResult { .. }));
    }
    turns
}

/// Whether Anthropic's models take a block: no empty text, which other dialects have beside calls, and no reasoning that
/// they have not signed.
pub(crate) fn is_acceptable(block: &Block<'_>, losses: &mut Losses) -> bool {
    match &block.part {
        Part::Text(text) if is_blank(text) => {
            losses.add_if(block.cache.is_some(), "messages[].cache_control");
            false
        }
        Part::Thinking { signature, .. }
            if signature.as_ref().and_then(|s| Maker::Anthropic.unseal(s)).is_none() =>
        {
            losses.add("messages[].thinking_blocks");
            false
        }
        Part::Redacted(data) if Maker::Anthropic.unseal(data).is_none() => {
            losses.add("messages[].redacted_thinking");
            false
        }
        _ => true,
    }
}

/// Whether a text is empty but for white space.
pub(crate) fn is_blank(text: &Text<'_>) -> bool {
    let mut rest = text.raw();
    loop {
        rest = rest.trim_start_matches(' ');
        match ["\\n", "\\r", "\\t"].iter().find_map(|escape| rest.strip_prefix(escape)) {
            Some(behind) => rest = behind,
            None => return rest.is_empty(),
        }
    }
}

/// Where cache markers may stand.
pub(crate) struct MarkerRules {
    /// Whether one may follow this.
    pub(crate) follows: fn(&Part<'_>) -> bool,
    /// How many of the client's are on this block and in it.
    pub(crate) count: fn(&Block<'_>) -> usize,
}

/// Where cache markers go.
pub(crate) struct Markers {
    /// Whether they are ours to set.
    pub(crate) auto: bool,
    /// The block that ours goes on, by turn and place.
    pub(crate) stable: Option<(usize, usize)>,
    /// How many of the client's are too many; the first ones go, since later ones cover what they covered.
    surplus: usize,
}

impl Markers {
    /// The client's, or ours where they are `wanted` and there are none.
    pub(crate) fn of(
        request: &Request<'_>,
        turns: &[Merged<'_>],
        rules: &MarkerRules,
        wanted: bool,
        losses: &mut Losses,
    ) -> Self {
        let of_tools = request.tools.iter().filter(|tool| tool.cache.is_some()).count();
        let of_system: usize = request.system.iter().map(rules.count).sum();
        let pieces = turns.iter().flat_map(|turn| &turn.pieces);
        let of_turns: usize = pieces.map(|piece| (rules.count)(piece.block)).sum();
        let set = of_tools + of_system + of_turns + usize::from(request.cache.is_some());
        let auto = wanted && set == 0;
        let stable = if auto { stable(turns, rules) } else { None };
        losses.add_if(set > MARKERS_MAX, "cache_control");
        Self { auto, stable, surplus: set.saturating_sub(MARKERS_MAX) }
    }

    /// The marker, unless it is one too many.
    pub(crate) fn take<'m>(&mut self, marker: Option<&'m str>) -> Option<&'m str> {
        let marker = marker?;
        if self.surplus > 0 {
            self.surplus -= 1;
            return None;
        }
        Some(marker)
    }
}

/// The end of what will be sent again as it is. Results of tools are; what a user typed last may stand beside
/// context that the client puts in for this once, so that the turn before it is marked.
fn stable(turns: &[Merged<'_>], rules: &MarkerRules) -> Option<(usize, usize)> {
    let last = turns.len().checked_sub(1)?;
    let results = |piece: &Piece<'_>| matches!(piece.block.part, Part::ToolResult { .. });
    let settled = turns.get(last)?.pieces.iter().all(results);
    let turn = if settled { last } else { last.checked_sub(1)? };
    let pieces = &turns.get(turn)?.pieces;
    Some((turn, pieces.iter().rposition(|piece| (rules.follows)(&piece.block.part))?))
}
