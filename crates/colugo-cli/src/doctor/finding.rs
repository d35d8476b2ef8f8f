//! `Finding`: one thing that the doctor has found: what, whom it is about, why it is believed, and what to do. Knows how it is shown.

use colugo::NodeStep;
use serde_json::{Value, json};

use crate::node_info::step_json;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Something does not work.
    Problem,
    /// Something may surprise.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// A word for programs.
    pub(crate) kind: &'static str,
    /// What it is about: a node, an address, a topic, an interface.
    pub(crate) about: String,
    /// What is the case.
    pub(crate) what: String,
    /// Why that is believed.
    pub(crate) evidence: String,
    /// What to do.
    pub(crate) advice: String,
    /// What happened with the node that it is about.
    pub(crate) history: Vec<NodeStep>,
}

impl Finding {
    pub(crate) fn problem(kind: &'static str, about: impl Into<String>) -> Self {
        Self::new(Weight::Problem, kind, about.into())
    }

    pub(crate) fn note(kind: &'static str, about: impl Into<String>) -> Self {
        Self::new(Weight::Note, kind, about.into())
    }

    fn new(weight: Weight, kind: &'static str, about: String) -> Self {
        Self {
            weight,
            kind,
            about,
            what: String::new(),
            evidence: String::new(),
            advice: String::new(),
            history: Vec::new(),
        }
    }

    pub(crate) fn what(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    pub(crate) fn because(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = evidence.into();
        self
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    pub(crate) fn after(mut self, history: &[NodeStep]) -> Self {
        self.history = history.to_vec();
        self
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let head = match self.weight {
            Weight::Problem => "problem",
            Weight::Note => "note   ",
        };
        let mut lines = vec![
            String::new(),
            format!("{head}  {}: {}", self.about, self.what),
            format!("  seen     {}", self.evidence),
            format!("  to do    {}", self.advice),
        ];
        let before = self.history.iter().enumerate().map(|(number, step)| {
            let word = if number == 0 { "before" } else { "" };
            format!("  {word:<8} {step}")
        });
        lines.extend(before);
        lines
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "weight": match self.weight { Weight::Problem => "problem", Weight::Note => "note" },
            "kind": self.kind,
            "about": self.about,
            "what": self.what,
            "evidence": self.evidence,
            "advice": self.advice,
            "history": self.history.iter().map(step_json).collect::<Value>(),
        })
    }
}
