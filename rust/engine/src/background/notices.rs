//! Notices: a line in the log when something begins that is no request's, and when it is over.
//!
//! Requests are refused for load, accepting pauses, a name does not resolve. It is looked for once a second, in what is
//! counted anyway: nothing on the way of a request knows of it.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::fail_points::fail_point;
use crate::pressure::Shed;
use crate::telemetry::bank::Cell64;
use crate::telemetry::notice;
use crate::worker::Worker;

const LOOK: Duration = Duration::from_secs(1);
/// Looks without anything new until it is over.
const CALM_LOOKS: u32 = 5;

/// What a spell of one kind is called in the log.
struct Kind {
    event: &'static str,
    began: &'static str,
    ended: &'static str,
    counted: &'static str,
}

const SHEDDING: Kind = Kind { event: "shedding", began: "began", ended: "ended", counted: "requests" };
const ACCEPTING: Kind = Kind { event: "accepting", began: "paused", ended: "resumed", counted: "pauses" };

/// A time in which a counter rises again and again.
#[derive(Default)]
struct Spell {
    /// The counter when it was last looked at.
    seen: u64,
    /// The counter before it began.
    before: u64,
    /// Looks until it is over; 0 where there is none.
    left: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    Began,
    /// It is over, and so much was counted.
    Ended(u64),
}

impl Spell {
    /// None so far: what was counted before is no news.
    fn since(counter: &Cell64) -> Self {
        Self { seen: counter.get(), ..Self::default() }
    }

    fn look(&mut self, counter: u64) -> Option<News> {
        let before = std::mem::replace(&mut self.seen, counter);
        if counter != before {
            let is_new = self.left == 0;
            self.left = CALM_LOOKS;
            if is_new {
                self.before = before;
                return Some(News::Began);
            }
        } else if self.left > 0 {
            self.left -= 1;
            if self.left == 0 {
                return Some(News::Ended(counter.wrapping_sub(self.before)));
            }
        }
        None
    }
}

/// Looks for as long as the worker lives. `index` is its own; the first one looks at what all have in common.
pub(crate) async fn run(worker: &Rc<Worker>, index: usize) {
    let cells = &worker.bank.worker;
    let mut sheds = cells.sheds.each_ref().map(Spell::since);
    let mut pauses = Spell::since(&cells.accept_pauses);
    let mut unresolved = BTreeSet::new();
    let tell = |kind: &Kind, reason: Option<Shed>, news: &News| {
        let (state, count) = match news {
            News::Began => (kind.began, None),
            News::Ended(count) => (kind.ended, Some(*count)),
        };
        notice::write(worker, count.is_none(), kind.event, |line| {
            line.text("state", state);
            if let Some(reason) = reason {
                line.text("reason", reason.name());
            }
            line.number("worker", index as u64);
            if let Some(count) = count {
                line.number(kind.counted, count);
            }
        });
    };
    loop {
        tokio::time::sleep(LOOK).await;
        fail_point!("loop.notices");
        for ((spell, cell), shed) in sheds.iter_mut().zip(&cells.sheds).zip(Shed::ALL) {
            if let Some(news) = spell.look(cell.get()) {
                tell(&SHEDDING, Some(shed), &news);
            }
        }
        if let Some(news) = pauses.look(cells.accept_pauses.get()) {
            tell(&ACCEPTING, None, &news);
        }
        if index == 0 {
            tell_names(worker, &mut unresolved);
        }
    }
}

fn tell_names(worker: &Worker, unresolved: &mut BTreeSet<String>) {
    let failing = worker.shared.resolver.failing();
    for (host, why) in &failing {
        if unresolved.insert(host.clone()) {
            notice::write(worker, true, "dns", |line| {
                line.text("state", "failing");
                line.text("host", host);
                line.text("error", why);
            });
        }
    }
    unresolved.retain(|host| {
        let still = failing.iter().any(|(name, _)| name == host);
        if !still {
            notice::write(worker, false, "dns", |line| {
                line.text("state", "resolved");
                line.text("host", host);
            });
        }
        still
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_before_is_no_news() {
        let counter = Cell64::default();
        counter.add(7);
        let mut spell = Spell::since(&counter);
        assert_eq!(spell.look(7), None);
        assert_eq!(spell.look(8), Some(News::Began));
    }

    #[test]
    fn what_comes_again_and_again_is_one_spell() {
        let mut spell = Spell::default();
        assert_eq!(spell.look(0), None);
        assert_eq!(spell.look(3), Some(News::Began));
        for counter in [3, 3, 4, 9, 9] {
            assert_eq!(spell.look(counter), None);
        }
        let calm: Vec<_> = (0..CALM_LOOKS).map(|_| spell.look(9)).collect();
        assert_eq!(calm.iter().flatten().collect::<Vec<_>>(), [&News::Ended(9)]);
        assert_eq!(spell.look(9), None);
        assert_eq!(spell.look(10), Some(News::Began));
    }
}
