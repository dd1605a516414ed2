// Record, punch in, replay and verify: one screen whose parts never move.

import { ask } from "./api.js";
import { Curves } from "./curve.js";
import { clock, element, problem, show } from "./elements.js";
import { Input } from "./input.js";
import { Pad } from "./pad.js";
import { Player } from "./player.js";
import { Practice } from "./practice.js";
import { Recorder } from "./recorder.js";
import { save } from "./settings.js";
import { Trace } from "./trace.js";

const COUNTDOWN = 3, BACK = 5, SPEEDS = [1, 0.75, 0.5];
const LATE = 0.1; // seconds of the video without a displayed frame after which its own clock gives the samples

export async function annotate({ settings, facts, go, video: row, verifying = false, practising = false }) {
  const player = new Player(row.number), input = new Input(settings);
  const recorder = practising ? new Practice(settings.dimensions)
    : new Recorder(settings.rater, row.number, settings.dimensions, (kind, text) => {
      problem(text);
      if ((kind === "lost" || kind === "failed") && recording) stop();
    });
  const leave = () => go(practising ? "welcome" : "videos");
  let recording = false, running = true, finished = false, shownTime = 0;

  const canvas = element("canvas", { "aria-label": "Value" }), output = element("output");
  const pad = new Pad(canvas, output, input);
  const runningCurve = element("canvas", { class: "clickable", "aria-label": "The last seconds" });
  const wholeCurve = element("canvas", { class: "clickable", "aria-label": "The whole video" });
  const at = element("output", { id: "at" }, ""), state = element("output", { id: "state" }, "");
  const speed = element("select", { "aria-label": "Speed" }, SPEEDS.map(value => element("option", { value }, `${value}×`)));
  speed.value = String(settings.speed);
  const button = (id, text, onclick, kind = "") => element("button", { type: "button", id, class: kind, onclick }, text);
  const record = button("record", "Record", () => toggle(), "primary");
  const play = button("play", "Play", () => replay());
  const done = button(verifying ? "verify" : "finish", verifying ? "Verified" : practising ? "End practice" : "Finish",
    () => end());
  show(element("div", { class: "stage" },
    player.box, element("div", { class: "pad" }, canvas, output),
    element("div", { class: "lines" }, runningCurve, wholeCurve),
    element("div", { class: "controls" }, record, play, button("back", `−${BACK} s`, () => jump(-BACK)),
      button("forward", `+${BACK} s`, () => jump(BACK)), button("undo", "Undo", () => undo()), speed, at,
      state, done, button("leave", practising ? "Back" : "To the list", leave))));

  const duration = row.seconds;
  let curves = new Curves(runningCurve, wholeCurve, recorder.traces, duration);

  async function toggle() {
    if (recording || player.counting && player.over.classList.contains("count") && !player.over.hidden) return stop();
    if (!recorder.connected) return problem("The server cannot be reached: nothing could be recorded.");
    if (recorder.failed) return problem("What was recorded last is not saved yet. Make room first.");
    if (player.playing) player.pause();
    if (player.time >= duration - 0.05) player.seek(0);
    record.textContent = "Pause";
    state.textContent = "Space pauses.";
    record.classList.add("recording");
    pad.given = null;
    recorder.begin();
    recording = "soon";
    const from = player.time;
    const plays = await player.start(COUNTDOWN, Number(speed.value)).catch(() => false);
    if (recording === "soon" && plays) recording = true;
    sample(from);
    player.recording(recording === true);
  }

  // What is recorded replaces what stood there from its first sample to its last: there is one at both ends, and in
  // between, also where no frame is displayed for a while.
  function sample(time) {
    if (recording === true) recorder.put(time, { ...input.poll() });
  }

  function stop() {
    const was = recording;
    player.pause();
    sample(Math.min(player.time, duration));
    recording = false;
    recorder.flush();
    record.textContent = "Record";
    state.textContent = "Paused. Space goes on.";
    record.classList.remove("recording");
    player.recording(false);
    return was;
  }

  async function replay() {
    if (recording) stop();
    if (player.playing) player.pause();
    else {
      if (player.time >= duration - 0.05) player.seek(0);
      await player.start(0, Number(speed.value)).catch(() => {});
    }
    play.textContent = player.playing ? "Pause playing" : "Play";
    player.recording(false);
  }

  function jump(seconds, to = null) {
    if (recording) stop();
    player.pause();
    play.textContent = "Play";
    player.seek(to ?? player.time + seconds);
    player.recording(false);
  }

  async function undo() {
    if (recording) stop();
    try {
      const { undone } = await recorder.undo();
      problem();
      state.textContent = undone ? "The last recording is taken back." : "There is nothing to undo.";
    } catch (error) {
      problem(error.message);
    }
  }

  async function end() {
    if (recording) stop();
    player.pause();
    try {
      if (verifying) await recorder.verify();
      else await recorder.finish(details());
      finished = true;
      problem();
      leave();
    } catch (error) {
      problem(error.message);
      const holes = recorder.traces[settings.dimensions[0]].holes(duration);
      if (holes.length) player.seek(holes[0][0]);
    }
  }

  const details = () => ({
    input: settings.input === "gamepad" ? settings.gamepad : settings.input,
    axis: settings.input === "gamepad" ? (settings.dimensions.length > 1 ? [settings.axisX, settings.axisY] : [settings.axisY]) : null,
    dead_zone: settings.input === "gamepad" ? settings.deadZone : null,
    inverted: settings.inverted, speed: Number(speed.value), ghost: Boolean(settings.ghost && facts.ghosts),
    screen: `${screen.width}x${screen.height}`,
  });

  player.frame = time => {
    shownTime = time;
    sample(time);
  };
  player.ended = () => {
    sample(Math.max(duration, shownTime + 0.001));
    stop();
    play.textContent = "Play";
    const holes = recorder.traces[settings.dimensions[0]].holes(duration);
    state.textContent = holes.length ? `Not recorded: ${clock(holes[0][0])} to ${clock(holes[0][1])}.`
      : verifying ? "Seen to the end." : practising ? "All of it. Nothing is kept." : "All of it is recorded. Choose Finish, or correct parts of it: go back and record them again.";
    if (!holes.length) done.classList.add("primary");
  };
  speed.addEventListener("change", () => {
    settings.speed = Number(speed.value);
    player.video.playbackRate = settings.speed;
    save(settings);
    speed.blur();
  });
  for (const each of [runningCurve, wholeCurve]) {
    each.addEventListener("click", event => jump(0, curves.timeOf(event, player.time)));
  }

  const keys = event => {
    if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      " ": toggle, p: replay, u: undo, f: end, ",": () => jump(-BACK), ".": () => jump(BACK), Escape: leave,
      ...(settings.input === "keys" ? {} : { ArrowLeft: () => jump(-BACK), ArrowRight: () => jump(BACK) }),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  // A button that has the focus would be pressed by the same key.
  const released = event => { if (event.key === " " && !event.target.matches("input, select, textarea")) event.preventDefault(); };
  window.addEventListener("keydown", keys);
  window.addEventListener("keyup", released);
  const leaving = event => { if (recorder.unsaved) event.preventDefault(); };
  window.addEventListener("beforeunload", leaving);

  const tick = () => {
    if (!running) return;
    input.poll();
    if (player.playing && player.time > recorder.last + LATE) sample(player.time);
    const now = player.playing ? shownTime : player.time;
    if (recording !== true && recording !== "soon" && player.playing) {
      pad.given = Object.fromEntries(settings.dimensions.map(name => [name, recorder.traces[name].at(now) ?? 0]));
    } else if (recording) {
      pad.given = null;
    }
    pad.draw();
    curves.draw(now);
    at.textContent = `${clock(now)} of ${clock(duration)}`;
    requestAnimationFrame(tick);
  };

  const close = () => {
    running = false;
    if (recording) stop();
    window.removeEventListener("keydown", keys);
    window.removeEventListener("keyup", released);
    window.removeEventListener("beforeunload", leaving);
    input.close();
    player.close();
    recorder.close();
  };

  try {
    await recorder.open();
    await player.load();
    const ghost = settings.ghost && facts.ghosts ? await ask("api/ghost", { video: row.number }) : null;
    const made = ghost?.times.length ? Object.fromEntries(settings.dimensions.map(name => [name, new Trace(ghost.times, ghost[name])])) : null;
    const other = verifying ? await otherDimension(settings, row) : {};
    curves = new Curves(runningCurve, wholeCurve, { ...other, ...recorder.traces }, duration, made);
    const holes = recorder.traces[settings.dimensions[0]].holes(duration);
    if (!verifying && holes.length && holes[0][0] > 0) {
      player.seek(holes[0][0]);
      state.textContent = `You were here: recorded up to ${clock(holes[0][0])}.`;
    } else {
      state.textContent = verifying ? "Watch it once more. Record corrects a part. Then choose Verified."
        : practising ? "Practice: nothing is kept." : "Watch it once (Play), then Record.";
    }
    record.focus();
    tick();
  } catch (error) {
    problem(error.message);
    close();
    if (!finished) go(practising ? "welcome" : "videos", null, true);
    return () => {};
  }
  return close;
}

// While one verifies, the other dimension's curve is there to compare with.
async function otherDimension(settings, row) {
  const found = {};
  for (const name of ["valence", "arousal"]) {
    if (settings.dimensions.includes(name) || !row.dimensions[name].finished) continue;
    const { times, values } = await ask("api/trace", { rater: settings.rater, dimension: name, video: row.number });
    found[name] = new Trace(times, values);
  }
  return found;
}
