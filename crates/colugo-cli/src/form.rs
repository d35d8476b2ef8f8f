//! `Printer`: prints messages, requests and replies in the form the user chose. Says on the standard error what is guessed, once.

use bytes::Bytes;
use colugo::MessageMeta;

use crate::args::FormArgs;
use crate::exit::Failure;
use crate::hex;
use crate::output::{Out, say};
use crate::payload::{View, quoted};

/// Prints what was received.
#[derive(Debug)]
pub(crate) struct Printer {
    form: FormArgs,
    /// `topic` or `service`, and its name.
    what: (&'static str, String),
    out: Out,
    said: Option<String>,
}

impl Printer {
    pub(crate) fn new(form: FormArgs, kind: &'static str, name: &str) -> Self {
        Self {
            form,
            what: (kind, name.to_owned()),
            out: Out::new(),
            said: None,
        }
    }

    /// Prints the frames of one message, whose encoding may be declared.
    pub(crate) fn print(
        &mut self,
        frames: &[Bytes],
        declared: Option<&str>,
        meta: Option<&MessageMeta>,
    ) -> Result<(), Failure> {
        if self.form.raw {
            for frame in frames {
                self.out.octets(frame)?;
            }
        } else if self.form.hex {
            let frames: Vec<_> = frames.iter().map(|frame| hex::digits(frame)).collect();
            self.out.line(frames.join(" "))?;
        } else if self.form.json {
            let line = self.json(frames, declared, meta);
            self.out.line(line)?;
        } else {
            self.people(frames, declared)?;
        }
        Ok(())
    }

    /// Hands what was printed to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush()
    }

    fn people(&mut self, frames: &[Bytes], declared: Option<&str>) -> Result<(), Failure> {
        for (i, frame) in frames.iter().enumerate() {
            let view = View::of(frame, declared);
            self.say_guess(&view);
            // Which frame, where there are several.
            let place = if frames.len() > 1 {
                format!("[{}/{}] ", i + 1, frames.len())
            } else {
                String::new()
            };
            self.out
                .line(format_args!("{place}{}", view.for_people()))?;
        }
        Ok(())
    }

    /// Only guesses that may surprise: JSON and text show what they are.
    fn say_guess(&mut self, view: &View) {
        let text = match &view.unlike {
            Some(declared) if matches!(declared.as_str(), "json" | "msgpack" | "text") => {
                format!(
                    "declared as {declared}, which this is not; shown as {}",
                    view.encoding
                )
            }
            Some(declared) => format!(
                "declared as {declared}, which needs its schema; shown as {}",
                view.encoding
            ),
            None if view.guessed && view.encoding == "msgpack" => {
                "no encoding is declared; shown as msgpack [guess]".to_owned()
            }
            None => return,
        };
        if self.said.as_ref() != Some(&text) {
            say(&text);
            self.said = Some(text);
        }
    }

    fn json(&self, frames: &[Bytes], declared: Option<&str>, meta: Option<&MessageMeta>) -> String {
        let (kind, name) = &self.what;
        let mut line = format!("{{\"{kind}\":{}", quoted(name));
        if let Some(seq) = meta.and_then(|meta| meta.seq) {
            line.push_str(&format!(",\"seq\":{seq}"));
        }
        if let Some(sent) = meta.and_then(|meta| meta.sent_ns) {
            line.push_str(&format!(",\"sent_ns\":{sent}"));
        }
        let views: Vec<_> = frames
            .iter()
            .map(|frame| View::of(frame, declared))
            .collect();
        if let [view] = views.as_slice() {
            line.push_str(&format!(",\"encoding\":\"{}\"", view.encoding));
            if view.guessed {
                line.push_str(",\"guessed\":true");
            }
            line.push_str(&format!(",\"payload\":{}}}", view.for_programs()));
        } else {
            let frames: Vec<_> = views.iter().map(View::for_programs).collect();
            line.push_str(&format!(",\"frames\":[{}]}}", frames.join(",")));
        }
        line
    }
}
