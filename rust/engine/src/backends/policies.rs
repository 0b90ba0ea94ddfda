//! Policies of the operator's own: each ranks targets on a thread of its own, with a deadline that is its caller's.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::fail_points::fail_point;
use crate::panics::Panics;

/// What ranks: it gets a question and gives an answer, both JSON; `None` when it failed.
pub type Policy = Box<dyn Fn(&str) -> Option<String> + Send>;

/// Questions that may wait for one policy.
const WAITING_MAX: usize = 256;

struct Call {
    question: String,
    answer: oneshot::Sender<Option<String>>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Policies(Mutex<HashMap<String, Asker>>);

/// The way to one policy, which lives as long as one of these does.
#[derive(Clone)]
pub(crate) struct Asker(SyncSender<Call>);

/// Why a policy has not ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Too many questions wait for it, or its thread has ended.
    Busy,
    /// It has not answered in time.
    Late,
    /// It failed.
    Failed,
}

impl Policies {
    /// Has this one answer under that name from now on.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(crate) fn set(&self, name: &str, policy: Policy, panics: Panics) -> std::io::Result<()> {
        let (calls, waiting) = sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("policy".to_owned())
            .spawn(move || answer_all(&policy, &waiting, &panics))?;
        let mut policies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        policies.insert(name.to_owned(), Asker(calls));
        Ok(())
    }

    /// The one that answers under a name.
    pub(crate) fn of(&self, name: &str) -> Option<Asker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

fn answer_all(policy: &Policy, waiting: &Receiver<Call>, panics: &Panics) {
    while let Ok(call) = waiting.recv() {
        // Who has given up needs no answer.
        if !call.answer.is_closed() {
            let ranked = panics.outlive(|| {
                fail_point!("policy");
                policy(&call.question)
            });
            drop(call.answer.send(ranked.unwrap_or(None)));
        }
    }
}

impl Asker {
    /// The answer, if it comes in time.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn ask(&self, question: String, deadline: Duration) -> Result<String, Silence> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Call { question, answer }).map_err(|_| Silence::Busy)?;
        match tokio::time::timeout(deadline, answered).await {
            Ok(Ok(answer)) => answer.ok_or(Silence::Failed),
            Ok(Err(_)) => Err(Silence::Failed),
            Err(_) => Err(Silence::Late),
        }
    }
}
