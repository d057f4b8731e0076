//! What changes a model before it is sliced: other meshes, and letters on its faces.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use layerlock_slicer::modifiers::{Face, Text, TextStyle};
use layerlock_terms::units::Micrometres;

/// Changes of the model, all in its own coordinates.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Changes of the model, in its own coordinates")]
pub struct Changes {
    /// Unite the model with this mesh (may be given again)
    #[arg(long, value_name = "FILE")]
    pub add: Vec<PathBuf>,
    /// Take this mesh away from the model, after what is added (may be given again)
    #[arg(long, value_name = "FILE")]
    pub subtract: Vec<PathBuf>,
    /// Keep of the model only what is in this mesh too, after what is taken away (may be given again)
    #[arg(long, value_name = "FILE")]
    pub intersect: Vec<PathBuf>,
    /// Letters on a face of the model
    #[arg(long, value_name = "TEXT", requires = "text_at")]
    pub text: Option<String>,
    /// The text's middle in millimetres, and the face: X,Y or X,Y,top, X,Z,front, X,Z,back, Y,Z,left or Y,Z,right
    #[arg(long, value_name = "A,B[,FACE]", requires = "text", value_parser = place, allow_hyphen_values = true)]
    pub text_at: Option<Place>,
    /// Height of a capital letter
    #[arg(long, value_name = "MM", default_value = "8", value_parser = length)]
    pub text_height: Micrometres,
    /// How far letters stand out or are cut in
    #[arg(long, value_name = "MM", default_value = "0.8", value_parser = length)]
    pub text_depth: Micrometres,
    /// Whether letters stand out or are cut in
    #[arg(long, value_enum, default_value = "raised")]
    pub text_style: Style,
}

/// A place on a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    at: [Micrometres; 2],
    face: Face,
}

/// How letters are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// They stand out
    Raised,
    /// They are cut in
    Engraved,
}

impl Changes {
    /// The text asked for.
    pub fn lettering(&self) -> Option<Text> {
        let (words, place) = self.text.as_ref().zip(self.text_at)?;
        let style = match self.text_style {
            Style::Raised => TextStyle::Raised,
            Style::Engraved => TextStyle::Engraved,
        };
        Some(Text {
            words: words.clone(),
            face: place.face,
            at: place.at,
            size: self.text_height,
            depth: self.text_depth,
            style,
        })
    }
}

/// `12.5,-3` or `12.5,4,front`.
fn place(text: &str) -> Result<Place, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (at, face) = match parts[..] {
        [a, b] => ([a, b], Face::Top),
        [a, b, name] => {
            let known = Face::NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let faces = Face::NAMED.map(|(name, _)| name).join(", ");
            let (_, face) =
                known.ok_or_else(|| format!("no face is called `{name}`: take one of {faces}"))?;
            ([a, b], *face)
        }
        _ => return Err("give two numbers and, after another comma, a face: 12.5,4,front".to_owned()),
    };
    Ok(Place { at: [length(at[0])?, length(at[1])?], face })
}

/// Millimetres, to the micrometre and within ten metres.
fn length(text: &str) -> Result<Micrometres, String> {
    let number = text.trim().trim_end_matches("mm").trim_end();
    let millimetres: f64 = number.parse().map_err(|_| format!("`{text}` is not a number of millimetres"))?;
    if !(-10_000.0..=10_000.0).contains(&millimetres) {
        return Err(format!("`{text}` is beyond ten metres"));
    }
    Ok(Micrometres((millimetres * 1_000.0).round() as i32))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    /// A command that takes nothing but changes.
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        changes: Changes,
    }

    fn parsed(words: &[&str]) -> Result<Changes, clap::error::ErrorKind> {
        let words = ["slice"].iter().chain(words);
        Line::try_parse_from(words).map(|line| line.changes).map_err(|error| error.kind())
    }

    #[test]
    fn a_text_has_a_height_depth_and_style_unless_told_otherwise() {
        let plain = parsed(&["--text", "No. 7", "--text-at", "-3,4"]).unwrap().lettering();
        let asked = Text {
            words: "No. 7".to_owned(),
            face: Face::Top,
            at: [Micrometres(-3_000), Micrometres(4_000)],
            size: Micrometres(8_000),
            depth: Micrometres(800),
            style: TextStyle::Raised,
        };
        assert_eq!(plain.as_ref(), Some(&asked));
        let all = ["--text=-a-", "--text-at=1,2,left", "--text-height", "5mm", "--text-depth", "0.35"];
        let told = parsed(&[&all[..], &["--text-style", "engraved"]].concat()).unwrap().lettering().unwrap();
        assert_eq!((told.words.as_str(), told.face, told.style), ("-a-", Face::Left, TextStyle::Engraved));
        assert_eq!((told.size, told.depth), (Micrometres(5_000), Micrometres(350)));
    }

    #[test]
    fn a_text_without_a_place_and_a_place_without_a_text_are_refused() {
        use clap::error::ErrorKind::{InvalidValue, MissingRequiredArgument, ValueValidation};
        assert_eq!(parsed(&["--text", "a"]).unwrap_err(), MissingRequiredArgument);
        assert_eq!(parsed(&["--text-at", "1,2"]).unwrap_err(), MissingRequiredArgument);
        assert_eq!(parsed(&["--text", "a", "--text-at", "1,2,under"]).unwrap_err(), ValueValidation);
        let sunk = parsed(&["--text", "a", "--text-at", "1,2", "--text-style", "sunk"]);
        assert_eq!(sunk.unwrap_err(), InvalidValue);
    }

    #[test]
    fn meshes_may_be_given_again_and_without_a_text_there_is_none() {
        let changes = parsed(&["--subtract", "a.stl", "--add", "b.stl", "--subtract", "c.3mf"]).unwrap();
        assert_eq!((changes.add.len(), changes.subtract.len(), changes.intersect.len()), (1, 2, 0));
        assert_eq!(changes.lettering(), None);
    }

    #[test]
    fn a_place_is_two_lengths_and_perhaps_a_face() {
        let at = |a, b| [Micrometres(a), Micrometres(b)];
        assert_eq!(place("12.5,-3"), Ok(Place { at: at(12_500, -3_000), face: Face::Top }));
        assert_eq!(place(" 0.001mm , 4, Front"), Ok(Place { at: at(1, 4_000), face: Face::Front }));
        for wrong in ["", "1", "1,2,3", "1,2,top,4", "1,x", "NaN,1", "1,1e9"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
