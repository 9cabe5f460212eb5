//! A scorecard for people: as a web page with pictures, and as Markdown for a model card.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

use ganimation_data::{save_image, write_whole};
use serde::Serialize;

use super::{Evaluation, Region, Scorecard};
use crate::{Error, Result};

/// A table of numbers and how to read it.
struct Table {
    title: &'static str,
    note: String,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Evaluation {
    /// Writes `scorecard.json`, `scorecard.md`, `index.html`, `edits.png` and `painted.png` into `folder`, which is made
    /// if it is not there. `about` is told on the page: what was judged, by whom, on what.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Data`] if they cannot be written.
    pub fn save(&self, folder: &Path, about: &[(&str, String)]) -> Result<()> {
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        self.save_json(&folder.join("scorecard.json"), about)?;
        save_image(folder.join("edits.png"), &self.pictures.edits)?;
        save_image(folder.join("painted.png"), &self.pictures.painted)?;
        let tables = tables(&self.scorecard);
        write_whole(&folder.join("scorecard.md"), markdown(&tables).as_bytes())?;
        write_whole(&folder.join("index.html"), page(&tables, about).as_bytes())?;
        Ok(())
    }

    fn save_json(&self, path: &Path, about: &[(&str, String)]) -> Result<()> {
        #[derive(Serialize)]
        struct File<'a> {
            about: BTreeMap<&'a str, &'a str>,
            #[serde(flatten)]
            scorecard: &'a Scorecard,
        }
        let file = File {
            about: about.iter().map(|(what, text)| (*what, text.as_str())).collect(),
            scorecard: &self.scorecard,
        };
        let mut text = serde_json::to_string_pretty(&file).map_err(|error| Error::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        text.push('\n');
        Ok(write_whole(path, text.as_bytes())?)
    }
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "–".to_owned(),
        value => format!("{value:.2}"),
    }
}

/// Small shares: pixel errors, masks.
fn percent(value: f64) -> String {
    match value {
        value if value.is_nan() => "–".to_owned(),
        value => format!("{:.2} %", 100.0 * value),
    }
}

fn tables(card: &Scorecard) -> Vec<Table> {
    vec![summary(card), asks(card), units(card)]
}

fn asks(card: &Scorecard) -> Table {
    let rows = card.asks.iter().map(|ask| {
        vec![
            ask.units.join(" + "),
            ask.faces.to_string(),
            number(ask.mean_rise),
            format!("{:.0} %", 100.0 * ask.share_risen),
            number(ask.leakage),
        ]
    });
    Table {
        title: "Asked at 3 where it was absent",
        note: "On faces whose label is below 0.5; the other action units are asked to stay. Rise: read after minus read \
               before on the same face. Leakage: mean absolute change of the action units not asked for."
            .to_owned(),
        header: vec!["asked", "faces", "mean rise", "faces rising by 0.5", "leakage"],
        rows: rows.collect(),
    }
}

fn units(card: &Scorecard) -> Table {
    let row = |(unit, sweep): (&&'static str, &super::UnitSweep)| {
        let (reading, target) = (card.reading.units.get(unit)?, card.targets.units.get(unit)?);
        Some(vec![
            (*unit).to_owned(),
            number(reading.correlation),
            number(reading.error),
            number(reading.deviation),
            number(target.correlation),
            number(target.error),
            number(sweep.pooled_correlation),
            number(sweep.face_correlation),
            sweep
                .read
                .iter()
                .map(|read| number(*read))
                .collect::<Vec<_>>()
                .join(" "),
            number(sweep.leakage),
        ])
    };
    Table {
        title: "By action unit",
        note: format!(
            "Reader: its reading of unedited faces against their labels (Pearson; mean absolute error; mean absolute \
             deviation of the labels, which is the error of always saying the mean). Random targets: labels of other faces \
             asked, against read. Sweep: asked from 0 to 5 on {} faces, Spearman of asked and read with all faces in one \
             pool, and as the mean over faces; mean reading at 0 to 5; leakage at 3.",
            card.sweep.faces
        ),
        header: vec![
            "unit",
            "reader r",
            "reader error",
            "deviation",
            "targets r",
            "targets error",
            "sweep pooled",
            "sweep per face",
            "read at 0 1 2 3 4 5",
            "leakage",
        ],
        rows: card.sweep.units.iter().filter_map(row).collect(),
    }
}

fn summary(card: &Scorecard) -> Table {
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    let Scorecard {
        attention, identity, ..
    } = card;
    Table {
        title: "In short",
        note: format!(
            "{} held-out faces of {} pixels. Pixel errors are shares of the range. Rectangles, in shares of the crop: \
             mouth {}, brows and eyes {}, corners an eighth of the side. The Fréchet distance is on features of the \
             action-unit reader ({} a face): no FID, comparable only with others of the same reader and faces.",
            card.faces,
            card.image_size,
            Corners(card.regions.mouth),
            Corners(card.regions.brows),
            card.frechet.features
        ),
        header: vec!["score", "value"],
        rows: vec![
            row(
                "reader on unedited faces: correlation",
                number(card.reading.mean_correlation),
            ),
            row(
                "reader on unedited faces: mean error, of 5",
                number(card.reading.mean_error),
            ),
            row(
                "random targets, asked and read: correlation",
                number(card.targets.mean_correlation),
            ),
            row(
                "random targets, asked and read: mean error, of 5",
                number(card.targets.mean_error),
            ),
            row(
                "sweep 0 to 5: rank correlation, pooled",
                number(card.sweep.mean_pooled_correlation),
            ),
            row(
                "sweep 0 to 5: rank correlation, mean per face",
                number(card.sweep.mean_face_correlation),
            ),
            row("self-edit: pixel error", percent(card.self_edit.pixel_error)),
            row(
                "self-edit: mean change of readings, of 5",
                number(card.self_edit.reading_change),
            ),
            row("there and back: pixel error", percent(card.cycle_error)),
            row("smile: mean 1 - A at the mouth", percent(attention.mouth)),
            row("smile: mean 1 - A in the corners", percent(attention.corners)),
            row("smile: mean 1 - A", percent(attention.mean)),
            row("smile: pixels with 1 - A above 0.1", percent(attention.coverage)),
            row(
                "smile: faces whose largest 1 - A is under 0.1",
                percent(attention.dead),
            ),
            row(
                "pixel change outside mouth and brows, random targets",
                percent(identity.outside),
            ),
            row("the same inside", percent(identity.inside)),
            row(
                "pixel change outside mouth and brows, smile",
                percent(identity.outside_smile),
            ),
            row(
                "Fréchet distance, real to edited",
                format!("{:.4}", card.frechet.distance),
            ),
            row(
                "Fréchet distance, half of the real to the other half",
                format!("{:.4}", card.frechet.real_halves),
            ),
        ],
    }
}

/// A rectangle as `x 0.22–0.78, y 0.60–0.96`.
struct Corners(Region);

impl fmt::Display for Corners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Region {
            left,
            top,
            right,
            bottom,
        } = self.0;
        write!(f, "x {left:.2}–{right:.2}, y {top:.2}–{bottom:.2}")
    }
}

fn markdown(tables: &[Table]) -> String {
    let mut text = String::new();
    let line =
        |cells: &mut dyn Iterator<Item = &str>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    for table in tables {
        // Writing to a String cannot fail.
        let _ = write!(text, "### {}\n\n", table.title);
        text += &line(&mut table.header.iter().copied());
        text += &line(&mut table.header.iter().map(|_| "---"));
        for row in &table.rows {
            text += &line(&mut row.iter().map(String::as_str));
        }
        let _ = write!(text, "\n{}\n\n", table.note);
    }
    text
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:68rem;margin:2rem auto;padding:0 1rem;color:#222}\
    table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}\
    td{white-space:nowrap}.about td{white-space:normal}\
    td:first-child,th:first-child,.about td{text-align:left}th{font-weight:600;vertical-align:bottom}img{max-width:100%}\
    p{color:#555}h2{margin-top:2.5rem}";

fn page(tables: &[Table], about: &[(&str, String)]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Scorecard</title>\n<style>{STYLE}</style>\n\
         <h1>Scorecard</h1>\n<table class=\"about\">\n"
    );
    for (what, value) in about {
        let _ = writeln!(html, "<tr><td>{}<td>{}", escaped(what), escaped(value));
    }
    html += "</table>\n";
    for table in tables {
        let _ = write!(html, "<h2>{}</h2>\n<table>\n<tr>", escaped(table.title));
        for cell in &table.header {
            let _ = write!(html, "<th>{}", escaped(cell));
        }
        for row in &table.rows {
            html += "\n<tr>";
            for cell in row {
                let _ = write!(html, "<td>{}", escaped(cell));
            }
        }
        let _ = write!(html, "\n</table>\n<p>{}</p>\n", escaped(&table.note));
    }
    html += "<h2>Edits</h2>\n<p>Every expression on a neutral ground.</p>\n<img src=\"edits.png\" alt=\"edited faces\">\n\
             <h2>Where it was painted</h2>\n<p>1 - A of the same edits: white is painted, black is kept.</p>\n\
             <img src=\"painted.png\" alt=\"masks\">\n</html>\n";
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_on_the_page_is_text() {
        let page = page(&[], &[("weights", "<b>&".to_owned())]);
        assert!(page.contains("<td>weights<td>&lt;b&gt;&amp;"), "{page}");
    }

    #[test]
    fn a_mean_of_nothing_is_a_dash() {
        assert_eq!(
            (number(f64::NAN), percent(f64::NAN)),
            ("–".to_owned(), "–".to_owned())
        );
        assert_eq!(
            (number(1.006), percent(0.0123)),
            ("1.01".to_owned(), "1.23 %".to_owned())
        );
    }
}
