// Frames of a video element, each as soon as it is shown, to the server; and what it answers, in order.

const WAITING = { camera: 3, file: 2 }; // frames without an answer, beyond which a camera's are left out and a file waits
const LARGEST = 1280; // pixels of the longer side of what is sent
const HEADER = 16; // bytes: width, height, seconds

export class FrameSender {
  constructor(address, answered, failed) {
    this.answered = answered;
    this.failed = failed;
    this.video = null;
    this.waiting = [];
    this.outdated = 0; // answers still to come of frames of a source that has ended
    this.skipped = 0;
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = event => this.#answer(JSON.parse(event.data));
    this.socket.onclose = () => failed("The program has ended, or refuses this page. Start it again.");
    this.opened = new Promise(resolve => { this.socket.onopen = resolve; });
  }

  // Send what `video` shows from now on; its kind is "camera" or "file".
  async begin(video, kind) {
    await this.opened;
    this.end();
    this.socket.send("reset");
    this.video = video;
    this.kind = kind;
    this.began = null;
    this.presented = null;
    this.skipped = 0;
    const each = (now, metadata) => {
      this.callback = video.requestVideoFrameCallback(each);
      this.#shown(now, metadata);
    };
    this.callback = video.requestVideoFrameCallback(each);
  }

  // Send nothing more. A callback that waits would otherwise be called for the next source's frames too.
  end() {
    this.video?.cancelVideoFrameCallback(this.callback);
    this.video = null;
    this.outdated += this.waiting.length;
    this.waiting = [];
  }

  #shown(now, metadata) {
    // What the browser has composed without calling back is left out as well.
    this.skipped += Math.max(0, metadata.presentedFrames - (this.presented ?? metadata.presentedFrames - 1) - 1);
    this.presented = metadata.presentedFrames;
    if (this.kind === "camera" && this.waiting.length >= WAITING.camera) {
      this.skipped += 1;
      return;
    }
    this.began ??= now;
    const seconds = this.kind === "camera" ? (now - this.began) / 1000 : metadata.mediaTime;
    this.#send(seconds);
    if (this.kind === "file" && this.waiting.length > WAITING.file) this.video.pause();
  }

  #send(seconds) {
    const { videoWidth, videoHeight } = this.video, scale = Math.min(1, LARGEST / Math.max(videoWidth, videoHeight));
    const width = Math.round(videoWidth * scale), height = Math.round(videoHeight * scale);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.context.drawImage(this.video, 0, 0, width, height);
    const pixels = this.context.getImageData(0, 0, width, height).data;
    const message = new Uint8Array(HEADER + pixels.length), header = new DataView(message.buffer);
    header.setUint32(0, width, true);
    header.setUint32(4, height, true);
    header.setFloat64(8, seconds, true);
    message.set(pixels, HEADER);
    this.socket.send(message);
    this.waiting.push({ width, height });
  }

  #answer(found) {
    if (this.outdated) {
      this.outdated -= 1;
      return;
    }
    const size = this.waiting.shift();
    if (found.error) this.failed(found.error);
    else this.answered(found, size);
    const done = !this.waiting.length && this.kind === "file" && this.video;
    if (done && this.video.paused && !this.video.ended) this.video.play();
  }
}
