// Curves on two canvases: the last seconds, running along, and the whole video with its holes.

import { line, scaled, sized, valueAxis } from "./canvas.js";
import { colour } from "./elements.js";

const SECONDS = 20; // shown of the running curve
const NOW = 0.7; // where on it the present is

export class Curves {
  constructor(running, whole, traces, duration, ghost = null) {
    this.running = running;
    this.whole = whole;
    this.traces = traces;
    this.duration = duration;
    this.ghost = ghost;
    this.cached = new Map();
  }

  draw(now) {
    this.#drawRunning(now);
    this.#drawWhole(now);
  }

  // The time at which a canvas was clicked.
  timeOf(event, now) {
    const box = event.target.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
    const time = event.target === this.whole ? share * this.duration : now + (share - NOW) * SECONDS;
    return Math.max(0, Math.min(this.duration, time));
  }

  #drawRunning(now) {
    const { context, width, height } = sized(this.running);
    const first = now - NOW * SECONDS, x = time => (time - first) / SECONDS * width, y = scaled(height);
    context.clearRect(0, 0, width, height);
    valueAxis(context, y, width);
    for (let second = Math.max(0, Math.ceil(first)); second <= first + SECONDS; second += 1) {
      if (second % 5 === 0) {
        line(context, x(second), height - 8, x(second), height);
        context.fillText(`${second} s`, x(second) + 3, height - 2);
      }
    }
    if (this.ghost) {
      for (const name of Object.keys(this.traces)) {
        this.#path(context, this.ghost[name], first, first + SECONDS, x, y, colour("ghost"), name === "arousal" ? [7, 3, 2, 3] : [2, 3]);
      }
    }
    for (const [name, trace] of Object.entries(this.traces)) {
      this.#path(context, trace, first, first + SECONDS, x, y, colour(name), name === "arousal" ? [7, 4] : []);
    }
    context.strokeStyle = colour("ink");
    line(context, x(now), 0, x(now), height);
  }

  #path(context, trace, from, to, x, y, stroke, dash) {
    context.strokeStyle = stroke;
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    let last = -Infinity;
    for (let i = Math.max(0, trace.place(from) - 1); i < trace.times.length && trace.times[i] <= to + 1; i += 1) {
      if (trace.times[i] - last > 1) context.moveTo(x(trace.times[i]), y(trace.values[i]));
      else context.lineTo(x(trace.times[i]), y(trace.values[i]));
      last = trace.times[i];
    }
    context.stroke();
    context.setLineDash([]);
    context.lineWidth = 1;
  }

  #drawWhole(now) {
    const { context, width, height } = sized(this.whole);
    const x = time => time / Math.max(this.duration, 1e-6) * width, y = scaled(height);
    context.clearRect(0, 0, width, height);
    for (const [name, trace] of Object.entries(this.traces)) {
      context.strokeStyle = colour(name);
      if (trace.times.length < width) {
        this.#path(context, trace, 0, this.duration, x, y, colour(name), []);
        continue;
      }
      const columns = this.#columns(name, trace, Math.round(width));
      context.beginPath();
      for (let i = 0; i < columns.length; i += 1) {
        if (!columns[i]) continue;
        context.moveTo(i + 0.5, y(columns[i][0]) + 0.75);
        context.lineTo(i + 0.5, y(columns[i][1]) - 0.75);
      }
      context.stroke();
    }
    context.strokeStyle = colour("ink");
    line(context, x(now), 0, x(now), height);
  }

  // Lowest and highest value of each column of pixels; of a long trace only the columns at its end are made again.
  #columns(name, trace, width) {
    const kept = this.cached.get(name);
    if (kept && kept.version === trace.version && kept.width === width) return kept.columns;
    let columns = new Array(width), begin = 0;
    const grown = kept && kept.width === width && trace.times.length >= kept.count &&
      trace.version - kept.version === trace.times.length - kept.count && kept.count > 0;
    if (grown) {
      columns = kept.columns;
      begin = kept.count;
    }
    for (let i = begin; i < trace.times.length; i += 1) {
      const column = Math.min(width - 1, Math.floor(trace.times[i] / Math.max(this.duration, 1e-6) * width));
      const range = columns[column];
      if (!range) columns[column] = [trace.values[i], trace.values[i]];
      else if (trace.values[i] < range[0]) range[0] = trace.values[i];
      else if (trace.values[i] > range[1]) range[1] = trace.values[i];
    }
    // Punched in: samples in the middle have changed as well.
    const last = trace.times.length - 1;
    const inOrder = !grown || begin === 0 || trace.times[begin] > kept.end;
    if (!inOrder) {
      this.cached.delete(name);
      return this.#columns(name, trace, width);
    }
    this.cached.set(name, { version: trace.version, count: trace.times.length, width, columns, end: trace.times[last] ?? -1 });
    return columns;
  }
}
