//! A scorecard as a web page with pictures, and as Markdown for a model card.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use ganimation_data::{save_image, write_whole};
use serde::Serialize;

use super::tables::{NOTHING, Table, tables};
use super::{Evaluation, Scorecard};
use crate::{Error, Result};

impl Evaluation {
    /// Writes `scorecard.json`, `scorecard.md`, `index.html`, `edits.png` and `mask_coverage.png` into `folder`, and creates
    /// the folder if necessary. The page shows `about`: the editor, the judge and the data.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Data`] if they cannot be written.
    pub fn save(&self, folder: &Path, about: &[(&str, String)]) -> Result<()> {
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        self.save_json(&folder.join("scorecard.json"), about)?;
        save_image(folder.join("edits.png"), &self.pictures.edits)?;
        save_image(folder.join("mask_coverage.png"), &self.pictures.mask_coverage)?;
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
        let mut text = serde_json::to_string_pretty(&file).map_err(Error::damaged(path))?;
        text.push('\n');
        Ok(write_whole(path, text.as_bytes())?)
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

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;width:max-content;max-width:calc(100vw - 4rem);padding:0 1rem;color:#222}\
    table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}\
    td{white-space:nowrap}.about td{white-space:normal}\
    td:first-child,th:first-child,.about td{text-align:left}th{font-weight:600;vertical-align:bottom}\
    p{color:#555;max-width:68rem}h2{margin-top:2.5rem}.nothing{color:#888}.wide{overflow:auto}";

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
        let _ = write!(
            html,
            "<h2>{}</h2>\n<div class=\"wide\"><table>\n<tr>",
            escaped(table.title)
        );
        let class = |heading: &str| match heading {
            NOTHING => " class=\"nothing\"",
            _ => "",
        };
        for cell in &table.header {
            let _ = write!(html, "<th{}>{}", class(cell), escaped(cell));
        }
        for row in &table.rows {
            html += "\n<tr>";
            for (heading, cell) in table.header.iter().zip(row) {
                let _ = write!(html, "<td{}>{}", class(heading), escaped(cell));
            }
        }
        let _ = write!(html, "\n</table></div>\n<p>{}</p>\n", escaped(&table.note));
    }
    for (title, file, alt, note) in [
        (
            "Edits",
            "edits.png",
            "edited faces",
            "All expressions of sixteen faces, at full resolution.",
        ),
        (
            "Mask coverage",
            "mask_coverage.png",
            "masks",
            "1 - A of the same edits: white pixels are painted, black pixels are kept.",
        ),
    ] {
        let _ = write!(
            html,
            "<h2>{title}</h2>\n<p>{note} <a href=\"{file}\">Open the full sheet.</a></p>\n\
             <div class=\"wide\"><a href=\"{file}\"><img src=\"{file}\" alt=\"{alt}\"></a></div>\n"
        );
    }
    html += "</html>\n";
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
    fn messages_on_the_page_is_text() {
        let page = page(&[], &[("weights", "<b>&".to_owned())]);
        assert!(page.contains("<td>weights<td>&lt;b&gt;&amp;"), "{page}");
    }
}
