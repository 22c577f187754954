//! A roofline: what a card could reach at each ratio of operations to bytes, and where the calls lie under it. The calls'
//! heights are modelled too: their operations by their modelled limit.

use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Report;
use super::cards::Card;
use super::limits::Limits;
use super::table::{COUNTED, heading};

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

const WIDTH: u32 = 900;
const CHART_HEIGHT: u32 = 560;
/// Height of a line of the legend.
const LINE: u32 = 20;
const WITHOUT_CHAIN: RGBColor = RGBColor(30, 90, 170);
const WITH_CHAIN: RGBColor = RGBColor(200, 70, 30);

/// A horizontal part of the roof.
struct Roof {
    name: String,
    flops: f64,
}

/// A call under the roof.
struct Point {
    name: String,
    /// Operations by byte of compulsory traffic.
    intensity: f64,
    /// Operations a second at the modelled limit: without the dependent chain, and with it.
    rates: [f64; 2],
}

/// All that a plot shows.
struct Plot {
    title: String,
    notes: Vec<String>,
    /// Bytes a second.
    bandwidth: f64,
    roofs: Vec<Roof>,
    points: Vec<Point>,
}

/// The plot as SVG. A call without floating-point operations has no place in it, and the notes name it.
///
/// # Errors
/// What the drawing library says.
pub fn roofline(reports: &[Report], card: &'static Card) -> Result<String, String> {
    let mut notes = vec![
        "blue: at the modelled limit of the card's throughput; red: with the dependent chain of launches and barriers"
            .to_owned(),
        COUNTED.to_owned(),
    ];
    let mut points = Vec::new();
    let mut roofs = vec![Roof { name: "f32".to_owned(), flops: 2.0 * card.multiprocessor().f32.0 * card.clocks() }];
    for report in reports {
        let (total, flops) = (report.total(), report.flops());
        let limits = Limits::of(&total, card);
        let limit = |with_chain| limits.limit(with_chain).map_or(0.0, |term| term.microseconds * 1e-6);
        if flops == 0.0 || total.compulsory_bytes() == 0 {
            notes.push(format!("without floating-point operations or traffic: {}", heading(report)));
            continue;
        }
        points.push(Point {
            name: heading(report),
            intensity: flops / total.compulsory_bytes() as f64,
            rates: [false, true].map(|with_chain| flops / limit(with_chain)),
        });
        for of in total.tensor_flops().into_keys() {
            let name = format!("{of} tensor cores, mma.sync");
            if let Some(peak) = card.tensor_tflops.get(of).filter(|_| roofs.iter().all(|roof| roof.name != name)) {
                roofs.push(Roof { name, flops: peak.0 * 1e12 * card.mma_sync.0 });
            }
        }
    }
    let title = format!("{} ({}): modelled, no measurement", card.name, card.model);
    Plot { title, notes, bandwidth: card.memory_gbs.0 * 1e9, roofs, points }.svg()
}

impl Plot {
    fn svg(&self) -> Result<String, String> {
        let mut svg = String::new();
        let height = CHART_HEIGHT + LINE * (self.points.len() + self.notes.len() + 1) as u32;
        self.draw(SVGBackend::with_string(&mut svg, (WIDTH, height))).map_err(|error| error.to_string())?;
        Ok(svg)
    }

    /// The ranges of both axes: around the points and the roofs' bends, with some of the slope in view.
    fn ranges(&self) -> [std::ops::Range<f64>; 2] {
        let around = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, 0f64), |(low, high), value| (low.min(value), high.max(value)))
        };
        let bends = self.roofs.iter().map(|roof| roof.flops / self.bandwidth);
        let (left, right) = around(&mut self.points.iter().map(|point| point.intensity).chain(bends));
        let (left, right) = (left / 3.0, right * 5.0);
        let heights = self.points.iter().flat_map(|point| point.rates).chain([left * self.bandwidth]);
        let (low, high) = around(&mut heights.chain(self.roofs.iter().map(|roof| roof.flops)));
        [left..right, low / 1.5..high * 2.0]
    }

    fn draw<'a>(&self, backend: SVGBackend<'a>) -> Drawn<'a> {
        let area = backend.into_drawing_area();
        area.fill(&WHITE)?;
        let (above, below) = area.split_vertically(CHART_HEIGHT);
        let [x, y] = self.ranges();
        let (left, right) = (x.start, x.end);
        let mut chart = ChartBuilder::on(&above)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(76)
            .build_cartesian_2d(x.log_scale(), y.log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(BLACK.mix(0.04))
            .bold_line_style(BLACK.mix(0.12))
            .x_desc("operations / byte of compulsory traffic")
            .y_desc("operations a second")
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| si(*value))
            .label_style(("sans-serif", 13))
            .draw()?;
        for roof in &self.roofs {
            let bend = roof.flops / self.bandwidth;
            let line = [(left, left * self.bandwidth), (bend, roof.flops), (right, roof.flops)];
            chart.draw_series(LineSeries::new(line, BLACK.stroke_width(2)))?;
            let style = TextStyle::from(("sans-serif", 13)).pos(Pos::new(HPos::Right, VPos::Bottom));
            chart.draw_series([Text::new(format!("{}: {}", roof.name, si(roof.flops)), (right, roof.flops), style)])?;
        }
        for (number, point) in (1..).zip(&self.points) {
            let [without, with] = point.rates.map(|rate| (point.intensity, rate));
            if with.1 < without.1 {
                chart.draw_series(LineSeries::new([without, with], WITH_CHAIN.mix(0.4)))?;
                chart.draw_series([Circle::new(with, 4, WITH_CHAIN.stroke_width(2))])?;
            }
            chart.draw_series([Circle::new(without, 4, WITHOUT_CHAIN.filled())])?;
            // Neighbours have their numbers on different sides.
            let (side, anchor) = [
                ((7, 0), Pos::new(HPos::Left, VPos::Center)),
                ((0, 7), Pos::new(HPos::Center, VPos::Top)),
                ((-7, 0), Pos::new(HPos::Right, VPos::Center)),
                ((0, -7), Pos::new(HPos::Center, VPos::Bottom)),
            ][number % 4];
            let style = TextStyle::from(("sans-serif", 12)).pos(anchor).color(&WITHOUT_CHAIN);
            let beside = EmptyElement::at(without) + Text::new(number.to_string(), side, style);
            chart.draw_series([beside])?;
        }
        let lines = self.points.iter().zip(1..).map(|(point, number)| format!("{number}  {}", point.name));
        for (line, text) in self.notes.iter().cloned().chain(lines).enumerate() {
            let at = (16, (LINE * line as u32) as i32 + 4);
            below.draw(&Text::new(text, at, TextStyle::from(("sans-serif", 13))))?;
        }
        area.present()
    }
}

/// `0.1`, `10`.
fn number(value: f64) -> String {
    if value < 1.0 { format!("{value:.2}").trim_end_matches('0').to_owned() } else { format!("{value:.0}") }
}

/// `19.5 T`.
fn si(value: f64) -> String {
    let (scale, unit) = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")]
        .into_iter()
        .find(|(scale, _)| value >= scale * 0.999)
        .unwrap_or((1.0, ""));
    let digits = format!("{:.1}", value / scale);
    format!("{} {unit}", digits.trim_end_matches(".0"))
}
