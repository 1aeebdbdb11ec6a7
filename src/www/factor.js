// SPDX-License-Identifier: ISC
/*
 * The second factor: its dialog (turn it on and off, recovery codes), and the input of the code during a login.
 *
 * `must`: the account has to set one up before anything else; the dialog then cannot be closed.
 */
import { call, refresh } from "./api.js";
import { $, attempt, el, wireDialog } from "./dom.js";

/** The code in the form that the server expects: six digits are a code of the app, anything else is a recovery code. */
export function proofOf(text) {
	const plain = text.replace(/\s/g, "");
	return /^\d{6}$/.test(plain) ? { code: plain } : { recovery_code: text.trim() };
}

/** What confirms a sensitive act: the fields that the user filled in. An account without a password has nothing for it. */
export function confirmation(password, code = "") {
	return { ...(password ? { password } : {}), ...(code.trim() ? proofOf(code) : {}) };
}

function field(text, attributes) {
	const input = el("input", { required: true, autocomplete: "off", spellcheck: "false", ...attributes });
	return { input, label: el("label", {}, text, input) };
}

function form(submit, ...children) {
	const act = async (event) => {
		event.preventDefault();
		const button = event.submitter;
		button.disabled = true;
		await attempt(() => submit(button.value), $("factor-error"));
		button.disabled = false;
	};
	return el("form", { id: "factor-form", on: { submit: act } }, ...children);
}

/* null: the account has no password; then the server wants a new sign-in instead, and says so. */
const password = (state) => state.has_password ?
	field("Password", { id: "factor-password", type: "password", autocomplete: "current-password" }) : null;
const submitter = (text, value, kind = "primary") => el("button", { type: "submit", class: kind, value }, text);

export class Factor {
	constructor({ must = false } = {}) {
		this.must = must;
		const dialog = $("factor-dialog");
		if (must) {
			dialog.addEventListener("close", () => dialog.showModal());
			dialog.querySelector("header [data-close]").hidden = true;
		} else {
			wireDialog(dialog);
			$("factor-open").addEventListener("click", () => this.dialog());
		}
	}

	show(...nodes) {
		$("factor-error").textContent = "";
		$("factor-body").replaceChildren(...nodes);
		if (!$("factor-dialog").open)
			$("factor-dialog").showModal();
		$("factor-body").querySelector("input")?.focus();
	}

	dialog() {
		return attempt(async () => {
			const state = await call("GET", "/api/auth/mfa");
			if (state.totp)
				this.showOn(state);
			else
				this.showOff(state);
		});
	}

	showOff(state) {
		const secret = password(state);
		const begin = async () => this.showSecret(await call("POST", "/api/auth/mfa/totp", confirmation(secret?.input.value)));
		this.show(el("p", {}, this.must ? "Your account must have a second factor before you can go on. " : "",
			"With a second factor, a login needs your password and a code of an authenticator app."),
		form(begin, ...(secret ? [secret.label] : []), submitter("Set up", "begin")));
	}

	showSecret({ secret, otpauth_uri: uri }) {
		const code = field("Code that the app shows now", { id: "factor-code", inputmode: "numeric", autocomplete: "one-time-code",
			maxlength: "20" });
		const confirm = async () => {
			const reply = await call("POST", "/api/auth/mfa/totp/confirm", { code: code.input.value });
			this.showCodes(reply.recovery_codes);
		};
		this.show(el("p", {}, "Enter this secret in your authenticator app, or ",
			el("a", { href: uri, id: "factor-uri" }, "open it in an app on this device"), "."),
		el("p", {}, el("code", { id: "factor-secret" }, secret.replace(/(.{4})(?=.)/g, "$1 "))),
		form(confirm, code.label, submitter("Turn on", "confirm")));
	}

	showCodes(codes) {
		const done = async () => {
			if (this.must) {
				await refresh();
				location.reload();
			} else {
				$("factor-dialog").close();
			}
		};
		this.show(el("p", {}, "Keep these recovery codes in a safe place. Each of them takes the place of a code of the app once. "
			+ "They are shown only now."),
		el("ul", { id: "factor-codes" }, codes.map((code) => el("li", {}, el("code", {}, code)))),
		form(done, submitter("I have stored them", "done")));
	}

	showOn(state) {
		const secret = password(state);
		const code = field("Code of the app, or a recovery code", { id: "factor-code", autocomplete: "one-time-code", maxlength: "40" });
		const act = async (what) => {
			const body = confirmation(secret?.input.value, code.input.value);
			if (what === "off") {
				await call("POST", "/api/auth/mfa/totp/off", body);
				this.showOff(state);
			} else {
				this.showCodes((await call("POST", "/api/auth/mfa/recovery-codes", body)).recovery_codes);
			}
		};
		this.show(el("p", { id: "factor-state" }, `The second factor is on. Recovery codes left: ${state.recovery_codes_left}.`),
			form(act, ...(secret ? [secret.label] : []), code.label, el("div", { class: "buttons" }, submitter("Turn off", "off", "danger"),
				submitter("New recovery codes", "codes"))));
	}
}
