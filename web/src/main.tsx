import "./styles/base.css";
import "./styles/home.css";
import "./styles/stream.css";
import "./styles/panel.css";
import { render } from "preact";
import { App } from "./app";

render(<App />, document.getElementById("app")!);
