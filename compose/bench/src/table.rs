//! The table: what was measured, its limit, the ratio, and the target.

/// Rows in the order in which they were measured.
#[derive(Default)]
pub struct Table(Vec<Row>);

struct Row {
    what: String,
    measured: String,
    beside: String,
    target: String,
    met: bool,
}

impl Table {
    /// A figure that should be at most `target` times `limit`; all in microseconds.
    pub fn ratio(&mut self, what: &str, micros: f64, (limit, name): (f64, &str), target: f64) {
        let ratio = micros / limit;
        self.push(
            what,
            format!("{micros:.0} us"),
            format!("{ratio:.2} x {name} ({limit:.0} us)"),
            format!("<= {target:.1} x"),
            ratio <= target,
        );
    }

    /// A figure that should be at most `target`.
    pub fn at_most(&mut self, what: &str, figure: f64, target: f64, unit: &str, beside: &str) {
        let (measured, wanted) = (format!("{figure:.1} {unit}"), format!("<= {target} {unit}"));
        self.push(what, measured, beside.to_owned(), wanted, figure <= target);
    }

    /// A figure that should be at least `target`.
    pub fn at_least(&mut self, what: &str, figure: f64, target: f64, unit: &str, beside: &str) {
        let (measured, wanted) = (format!("{figure:.2} {unit}"), format!(">= {target} {unit}"));
        self.push(what, measured, beside.to_owned(), wanted, figure >= target);
    }

    /// A figure without a target of its own.
    pub fn note(&mut self, what: &str, measured: String) {
        self.push(what, measured, String::new(), String::new(), true);
    }

    fn push(&mut self, what: &str, measured: String, beside: String, target: String, met: bool) {
        let row = Row { what: what.to_owned(), measured, beside, target, met };
        eprintln!("{}", row.line());
        self.0.push(row);
    }

    /// Prints the table as Markdown.
    pub fn print(&self) {
        println!("\n| what | measured | beside | target | |\n|---|---|---|---|---|");
        for row in &self.0 {
            println!("{}", row.line());
        }
    }
}

impl Row {
    fn line(&self) -> String {
        let Self { what, measured, beside, target, met } = self;
        let verdict = match (target.is_empty(), met) {
            (true, _) => "",
            (false, true) => "met",
            (false, false) => "MISSED",
        };
        format!("| {what} | {measured} | {beside} | {target} | {verdict} |")
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
