//! A measured failover as a picture (SVG): who advertises, and who answers the client.

use std::fmt::Write as _;
use std::time::Duration;

use vrrp_lab::probe::Ask;
use vrrp_lab::sys::now_us;
use vrrp_lab::{Pair, Program, Report, Segment, Vr, sayln};

use crate::outage::name;

/// Probes a second: each has a width of its own in the picture.
const HZ: u32 = 500;
const HOSTS: [(&str, &str); 2] = [("clarinet", "#1f6fb4"), ("fridge", "#d9822b")];
const SILENCE: &str = "#c0392b";

const WIDTH: f64 = 960.0;
const LEFT: f64 = 200.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 96.0;
const ROW: f64 = 34.0;
const HEIGHT: f64 = 264.0;

/// Disturbs a pair three times and writes what was seen to `file`.
pub(crate) fn run(file: &str) -> std::io::Result<()> {
    let vr = Vr::new(1, "10.10.10.80").interval_cs(10).vmac(true);
    let program = Program::Vrrpd;
    let pair = Pair::start(Segment::Switch, program, program, &vr);
    let probe = pair.probe(HZ, Ask::Name);
    std::thread::sleep(Duration::from_millis(500));
    let mut marks: Vec<(u64, &str)> = Vec::new();
    marks.push((now_us(), "cable pulled"));
    pair.network.clarinet.pull_cable();
    pair.wait_master("fridge");
    marks.push((now_us(), "cable back"));
    pair.network.clarinet.plug_cable();
    pair.wait_master("clarinet");
    marks.push((now_us(), "daemon stopped"));
    pair.clarinet.ask_to_stop();
    pair.wait_master("fridge");
    let report = probe.stop();
    let capture = &pair.capture;
    let adverts = HOSTS.map(|(host, _)| {
        let seen = capture.find(|seen| seen.is_advert(host, 1));
        seen.iter().map(|seen| seen.at_us).collect::<Vec<u64>>()
    });
    std::fs::write(file, draw(&report, &adverts, &marks, program))?;
    sayln!(
        "{file}: {} of {} probes lost, longest silence {:.0} ms",
        report.lost(),
        report.sent_us.len(),
        report.longest_silence_us() as f64 / 1000.0
    );
    Ok(())
}

fn draw(
    report: &Report,
    adverts: &[Vec<u64>; 2],
    marks: &[(u64, &str)],
    program: Program,
) -> String {
    let (Some(&from), Some(&to)) = (report.sent_us.first(), report.sent_us.last()) else {
        return String::new();
    };
    let scale = (WIDTH - LEFT - RIGHT) / (to - from).max(1) as f64;
    let x = |at_us: u64| LEFT + at_us.saturating_sub(from) as f64 * scale;
    let row = |number: usize| TOP + number as f64 * ROW;
    let silence = report.longest_silence_us() as f64 / 1000.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>A failover of {}, as a client saw it</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"20\" y=\"26\" font-size=\"16\">{}: a client asks {HZ} times a second; \
         advertisement interval 0.1 s</text>\n\
         <text x=\"20\" y=\"48\" fill=\"#555\">{} of {} probes are not answered; the longest \
         silence is {silence:.0} ms</text>\n",
        name(program),
        name(program),
        report.lost(),
        report.sent_us.len(),
    );
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(svg, "{text}");
    };
    for (number, ((host, colour), at)) in HOSTS.iter().zip(adverts).enumerate() {
        let (top, middle) = (row(number), row(number) + 16.0);
        line(format_args!(
            "<text x=\"20\" y=\"{middle}\">{host} advertises</text>"
        ));
        for at in at.iter().filter(|at| (from..=to).contains(at)) {
            let x = x(*at);
            let bottom = top + 22.0;
            line(format_args!(
                "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
            ));
        }
    }
    let top = row(2);
    line(format_args!(
        "<text x=\"20\" y=\"{}\">the client is answered by</text>",
        top + 16.0
    ));
    for span in report.timeline() {
        let known = HOSTS
            .iter()
            .find(|(host, _)| span.who.as_deref() == Some(host));
        let colour = known.map_or(SILENCE, |(_, colour)| colour);
        let (at, wide) = (
            x(span.from_us),
            x(span.to_us + report.period_us) - x(span.from_us),
        );
        line(format_args!(
            "<rect x=\"{at:.1}\" y=\"{top}\" width=\"{wide:.1}\" height=\"22\" fill=\"{colour}\"/>"
        ));
        let who = span.who.as_deref().unwrap_or("nobody");
        if wide > 60.0 || (span.who.is_none() && wide > 30.0) {
            let middle = at + wide / 2.0;
            line(format_args!(
                "<text x=\"{middle:.1}\" y=\"{}\" fill=\"#fff\" text-anchor=\"middle\">{who}</text>",
                top + 16.0
            ));
        }
    }
    let bottom = row(3);
    for (at, words) in marks {
        let x = x(*at);
        line(format_args!(
            "<path d=\"M{x:.1} {}V{bottom}\" stroke=\"#333\" stroke-dasharray=\"4 3\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{words}</text>",
            TOP - 22.0,
            x + 4.0,
            TOP - 10.0
        ));
    }
    line(format_args!(
        "<path d=\"M{LEFT} {bottom}H{}\" stroke=\"#333\"/>",
        WIDTH - RIGHT
    ));
    let zero = marks.first().map_or(from, |(at, _)| *at);
    let seconds = |at: u64| (at as f64 - zero as f64) / 1e6;
    let mut tick = (seconds(from) * 2.0).ceil() / 2.0;
    while tick <= seconds(to) {
        let x = LEFT + ((tick * 1e6) + zero as f64 - from as f64) * scale;
        line(format_args!(
            "<path d=\"M{x:.1} {bottom}v5\" stroke=\"#333\"/>\n\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{} s</text>",
            bottom + 20.0,
            // Zero without a sign.
            tick + 0.0
        ));
        tick += 0.5;
    }
    svg + "</svg>\n"
}
