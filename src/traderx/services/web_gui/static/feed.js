// The live connection: the few frames of Socket.IO 4 that subscribing needs, over one WebSocket.

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;

export class Feed {
  /** onState gets "connecting", "connected" or "disconnected"; onMessage gets envelopes. */
  constructor({ onState, onMessage }) {
    this.onState = onState;
    this.onMessage = onMessage;
    this.topics = new Set();
    this.pause = FIRST_PAUSE_MS;
    this.connected = false;
    this.connect();
  }

  /** Hear exactly these topics from now on. */
  listenTo(topics) {
    const wanted = new Set(topics);
    for (const topic of this.topics) if (!wanted.has(topic)) this.emit("unsubscribe", topic);
    for (const topic of wanted) if (!this.topics.has(topic)) this.emit("subscribe", topic);
    this.topics = wanted;
  }

  connect() {
    const url = new URL("/socket.io/?EIO=4&transport=websocket&client=browser", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(url);
    this.socket.onmessage = (event) => this.onFrame(event.data);
    this.socket.onclose = () => this.onLost();
  }

  onFrame(frame) {
    this.expectNext();
    if (frame.startsWith("0")) {
      const terms = JSON.parse(frame.slice(1));
      this.patience = terms.pingInterval + terms.pingTimeout;
      this.socket.send("40");
    } else if (frame === "2") {
      this.socket.send("3");
    } else if (frame.startsWith("40")) {
      this.connected = true;
      this.pause = FIRST_PAUSE_MS;
      for (const topic of this.topics) this.emit("subscribe", topic);
      this.onState("connected");
    } else if (frame.startsWith("42")) {
      const [event, envelope] = JSON.parse(frame.slice(2));
      if (event === "publish" && envelope?.from !== "System") this.onMessage(envelope);
    }
  }

  emit(event, argument) {
    if (this.connected) this.socket.send("42" + JSON.stringify([event, argument]));
  }

  // A connection that is silent longer than the server promised is dead, whatever the browser thinks.
  expectNext() {
    clearTimeout(this.silence);
    if (this.patience) this.silence = setTimeout(() => this.socket.close(), this.patience);
  }

  onLost() {
    clearTimeout(this.silence);
    this.connected = false;
    this.onState("disconnected");
    setTimeout(() => this.connect(), this.pause * (0.5 + Math.random()));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }
}
