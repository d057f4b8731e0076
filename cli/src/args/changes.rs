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
    use super::*;

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
