// Standing questions that are asked of a stream's captions, and what they told of it.
import { getJson, postJson, remove } from "./api";
import type { Alert, StandingQuestion } from "./types";

const ALERTS_AT_ONCE = 20;
const MOST_ALERTS = 500;

export class WatchedFor {
  questions: StandingQuestion[] | null = null; // newest first
  alerts: Alert[] = []; // newest first
  news: Alert | null = null; // the last one that came while the page was open, until it is put away

  constructor(readonly streamId: string) {}

  /** Of the newest alert that is known, 0 where there is none: events go on after it. */
  get lastAlertId(): number {
    return this.alerts[0]?.id ?? 0;
  }

  alertsOf(question: StandingQuestion): Alert[] {
    return this.alerts.filter((alert) => alert.standing_question_id === question.id);
  }

  /** How often a question was told of in this stream, as far as that is known. */
  numAlertsOf(question: StandingQuestion): number {
    const here = this.alertsOf(question).length;
    return question.stream_id === null ? here : Math.max(here, question.num_alerts);
  }

  get numAlerts(): number {
    return (this.questions ?? []).reduce((sum, question) => sum + this.numAlertsOf(question), 0);
  }

  /** All that there is: asked for once, before events tell the rest. */
  async load(): Promise<void> {
    await this.loadQuestions();
    const told = (this.questions ?? []).filter((question) => question.num_alerts > 0);
    const pages = await Promise.all(
      told.map((question) =>
        getJson<{ alerts: Alert[] }>(`/v1/standing-questions/${question.id}/alerts?limit=${ALERTS_AT_ONCE}`),
      ),
    );
    const alerts = pages.flatMap((page) => page.alerts).filter((alert) => alert.stream_id === this.streamId);
    this.alerts = alerts.sort((one, other) => other.id - one.id);
  }

  /** Questions and their figures, which change without an event. */
  async loadQuestions(): Promise<void> {
    const all = await getJson<StandingQuestion[]>("/v1/standing-questions");
    this.questions = all.filter((one) => one.stream_id === null || one.stream_id === this.streamId).reverse();
  }

  /** Take over an alert that an event told. */
  take(alert: Alert): void {
    if (alert.id <= this.lastAlertId) return;
    this.alerts = [alert, ...this.alerts].slice(0, MOST_ALERTS);
    this.news = alert;
  }

  async add(question: string, options: { byWords: boolean; everywhere: boolean }): Promise<void> {
    await postJson("/v1/standing-questions", {
      question,
      stream_id: options.everywhere ? null : this.streamId,
      method: options.byWords ? "words" : "model",
    });
    await this.loadQuestions();
  }

  async remove(question: StandingQuestion): Promise<void> {
    await remove(`/v1/standing-questions/${question.id}`);
    this.alerts = this.alerts.filter((alert) => alert.standing_question_id !== question.id);
    if (this.news?.standing_question_id === question.id) this.news = null;
    await this.loadQuestions();
  }
}
