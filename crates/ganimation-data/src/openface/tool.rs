//! Other programs than OpenFace 2 that write tables of action units, identified by their columns.

use crate::labels::Table;

/// A program and the differences of its tables.
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// The factor from its numbers to intensities from 0 to 5.
    pub(super) factor: f32,
    /// Whether its columns are numbered by the network's outputs, so that `AU02_r` is not action unit 2.
    pub(super) misnumbered: bool,
}

/// The program that wrote a table, if it is one of these.
pub(super) fn of(table: &Table<'_>) -> Option<Tool> {
    let has = |name| table.optional_column(&[name]).is_some();
    let tool = |name, factor, misnumbered| Tool {
        name,
        factor,
        misnumbered,
    };
    Some(match () {
        () if has("au_12_intensity") => tool("LibreFace", 1.0, false),
        () if has("FaceScore") || (has("AU43") && has("AU24")) => {
            tool("py-feat, whose units run from 0 to 1", 5.0, false)
        }
        () if has("AU03_r") && has("AU08_r") => tool("OpenFace 3", 1.0, true),
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::read_filled;
    use crate::ActionUnit;
    use crate::openface::read_openface;
    use std::fs;
    use std::path::PathBuf;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.csv");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn tables_of_libreface_and_py_feat_are_named_and_filled_on_request() {
        let libreface = "frame_idx,frame_time_in_ms,au_1,au_1_intensity,au_12,au_12_intensity\n0,0,1,0.5,1,2.5\n1,40,1,0.5,1,3\n";
        let (_dir, path) = file(libreface);
        let message = read_openface(&path).unwrap_err().to_string();
        assert!(
            message.contains("is a table of LibreFace, without AU02, AU04,") && message.ends_with("AU45"),
            "{message}"
        );
        let filled = read_filled(&path).unwrap();
        assert_eq!(filled.absent.len(), 15);
        let second = &filled.rows[1].reading;
        assert_eq!(
            (second.frame, second.timestamp, second.success),
            (Some(1), Some(0.04), true)
        );
        assert_eq!(second.intensities.get(ActionUnit::LipCornerPuller), 3.0);
        assert_eq!(second.intensities.get(ActionUnit::Blink), 0.0);

        let (_dir, path) = file("frame,FaceScore,AU01,AU12,AU24,AU43\n0,0.9,0.1,0.6,0,0.2\n");
        let message = read_openface(&path).unwrap_err().to_string();
        assert!(
            message.contains("a table of py-feat, whose units run from 0 to 1"),
            "{message}"
        );
        let filled = read_filled(&path).unwrap();
        assert_eq!((filled.factor, filled.rows[0].reading.confidence), (5.0, 0.9));
        assert_eq!(
            filled.rows[0]
                .reading
                .intensities
                .get(ActionUnit::LipCornerPuller),
            3.0
        );
    }

    #[test]
    fn openface_3_s_columns_are_not_taken_for_action_units() {
        let columns: Vec<_> = (1..=8).map(|unit| format!("AU{unit:02}_r")).collect();
        let (_dir, path) = file(&format!(
            "frame,confidence,{}\n1,0.9{}\n",
            columns.join(","),
            ",0.5".repeat(8)
        ));
        for refused in [read_openface(&path).err(), read_filled(&path).err()] {
            let message = refused.unwrap().to_string();
            assert!(
                message.contains("a table of OpenFace 3, without columns numbered"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_table_without_any_action_unit_is_refused_also_when_filled() {
        let (_dir, path) = file("name,age\na,3\n");
        assert!(read_filled(&path).is_err());
    }
}
