//! `Finding`: one thing that the doctor has found: what, whom it is about, why it is believed, and what to do. Knows how it is shown.

use serde_json::{Value, json};

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

    pub(crate) fn lines(&self) -> Vec<String> {
        let head = match self.weight {
            Weight::Problem => "problem",
            Weight::Note => "note   ",
        };
        vec![
            String::new(),
            format!("{head}  {}: {}", self.about, self.what),
            format!("  seen     {}", self.evidence),
            format!("  to do    {}", self.advice),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "weight": match self.weight { Weight::Problem => "problem", Weight::Note => "note" },
            "kind": self.kind,
            "about": self.about,
            "what": self.what,
            "evidence": self.evidence,
            "advice": self.advice,
        })
    }
}
