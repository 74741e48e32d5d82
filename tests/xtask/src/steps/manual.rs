//! Checks of a manual page that mandoc's own lint lacks.

/// Finds a cell of a `.Bl -column` list that is wider than its column. mandoc breaks the line there,
/// groff runs the cell into the next one.
pub(crate) fn overfull_cell(page: &str) -> Option<String> {
    let mut widths: Vec<usize> = Vec::new();
    for line in page.lines() {
        if let Some(list) = line.strip_prefix(".Bl -column ") {
            // Every second part is what stands between quotes.
            let widest = list.split('"').skip(1).step_by(2);
            widths = widest.map(|text| text.chars().count()).collect();
        } else if line == ".El" {
            widths.clear();
        } else if let Some(row) = line.strip_prefix(".It ") {
            // The last column has the rest of the line.
            let cells = row.split(" Ta ").zip(&widths).take(widths.len().max(1) - 1);
            let mut cells = cells.map(|(cell, width)| (shown(cell), *width));
            if let Some((cell, _)) = cells.find(|(cell, width)| cell.chars().count() > *width) {
                return Some(cell);
            }
        }
    }
    None
}

/// A cell as it is shown.
fn shown(cell: &str) -> String {
    let mut text = String::new();
    let mut words = cell.split(' ').peekable();
    while let Some(word) = words.next() {
        let space = if text.is_empty() { "" } else { " " };
        match word {
            "Li" | "No" | "Sy" | "Ic" | "Ar" | "Pa" | "Em" | "Cm" | "Ev" | "Dv" => {}
            "Fl" => text += &format!("{space}-{}", words.next().unwrap_or_default()),
            "Xr" => {
                let name = words.next().unwrap_or_default();
                text += &format!("{space}{name}({})", words.next().unwrap_or_default());
            }
            "," | "." | ";" => text += word,
            word => text += &format!("{space}{}", word.trim_matches('"')),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_runs_into_the_next_is_found() {
        let page = |width: &str| {
            format!(
                ".Bl -column \"{width}\" \"vrrpd\"\n\
                 .It Li short Ta the same, however long this may be\n\
                 .It Li monitoredcircuits , carriertimeout Ta read; see Xr vrrpd.conf 5\n.El\n"
            )
        };
        let cell = "monitoredcircuits, carriertimeout";
        assert_eq!(
            overfull_cell(&page("thirty octets are not enough..")),
            Some(cell.into())
        );
        assert_eq!(overfull_cell(&page(cell)), None);
        assert_eq!(
            overfull_cell(".Bl -tag -width Ds\n.It Fl x Ar y\n.El\n"),
            None
        );
        assert_eq!(shown("Ic freevrrpd Fl f Ar file"), "freevrrpd -f file");
    }
}
