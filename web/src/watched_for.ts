// Standing questions of a stream and their alerts.
import { getJson, postJson, remove } from "./api";
import type { Alert, StandingQuestion } from "./types";

const ALERTS_AT_ONCE = 20;
const MOST_ALERTS = 500;

export class WatchedFor {
  questions: StandingQuestion[] | null = null; // newest first
  alerts: Alert[] = []; // newest first
  news: Alert | null = null; // latest alert since the page was opened, until dismissed

  constructor(readonly streamId: string) {}

  /** Id of the newest known alert, from which events resume; 0 if there is none. */
  get lastAlertId(): number {
    return this.alerts[0]?.id ?? 0;
  }

  alertsOf(question: StandingQuestion): Alert[] {
    return this.alerts.filter((alert) => alert.standing_question_id === question.id);
  }

  /** Known number of a question's alerts in this stream. */
  numAlertsOf(question: StandingQuestion): number {
    const here = this.alertsOf(question).length;
    return question.stream_id === null ? here : Math.max(here, question.num_alerts);
  }

  get numAlerts(): number {
    return (this.questions ?? []).reduce((sum, question) => sum + this.numAlertsOf(question), 0);
  }

  /** Load questions and alerts once; events add the rest. */
  async load(): Promise<void> {
    await this.loadQuestions();
    const alerted = (this.questions ?? []).filter((question) => question.num_alerts > 0);
    const pages = await Promise.all(
      alerted.map((question) =>
        getJson<{ alerts: Alert[] }>(`/v1/standing-questions/${question.id}/alerts?limit=${ALERTS_AT_ONCE}`),
      ),
    );
    const alerts = pages.flatMap((page) => page.alerts).filter((alert) => alert.stream_id === this.streamId);
    this.alerts = alerts.sort((one, other) => other.id - one.id);
  }

  /** Reload questions and their counts, which change without an event. */
  async loadQuestions(): Promise<void> {
    const all = await getJson<StandingQuestion[]>("/v1/standing-questions");
    this.questions = all.filter((one) => one.stream_id === null || one.stream_id === this.streamId).reverse();
  }

  /** Add an alert from an event. */
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
