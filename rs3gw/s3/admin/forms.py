"""Forms of users: what is new, and what can be changed with a text area for each policy."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db.models import F

from rs3gw.common.errors import Rs3gwError
from rs3gw.s3.core import accounts
from rs3gw.s3.models import S3User

POLICY_PREFIX = "policy:"
NEW_NAME, NEW_TEXT = "new_policy_name", "new_policy"


class NewUserForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new account, or a user of one."""

    user_id = forms.CharField(
        label="User ID",
        required=False,
        max_length=accounts.USER_ID_CHARS_MAX,
        help_text="The canonical id; 64 random digits when left out. It cannot be changed.",
    )
    account = forms.ModelChoiceField(
        queryset=S3User.objects.filter(account_id=F("user_id")),
        to_field_name="user_id",
        required=False,
        empty_label="None: it is an account itself",
        help_text="A user of an account may do only what policies allow.",
    )

    class Meta:
        model = S3User
        fields = ["user_id", "display_name", "email"]

    def clean_user_id(self) -> str:
        """Check the id."""
        user_id = str(self.cleaned_data["user_id"])
        if user_id:
            _refuse(accounts.user_id_problem(user_id))
        return user_id

    def clean_display_name(self) -> str:
        """Check the name for people."""
        return _display_name(self.cleaned_data["display_name"])

    def clean_email(self) -> str:
        """Check the e-mail address."""
        return _email(self.cleaned_data["email"])


class ChangeUserForm(forms.ModelForm):  # type: ignore[type-arg]
    """What can be changed of a user. `form_for` adds the policies that it has."""

    new_policy_name = forms.CharField(
        label="New policy",
        required=False,
        max_length=accounts.POLICY_NAME_CHARS_MAX,
        help_text="The name of a further inline policy.",
    )
    new_policy = forms.CharField(
        label="Its text", required=False, strip=False, widget=forms.Textarea
    )

    class Meta:
        model = S3User
        fields = ["display_name", "email"]

    def clean_display_name(self) -> str:
        """Check the name for people."""
        return _display_name(self.cleaned_data["display_name"])

    def clean_email(self) -> str:
        """Check the e-mail address."""
        return _email(self.cleaned_data["email"])

    def clean(self) -> dict[str, Any]:
        """Check the new policy: both its name and its text, or neither."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        name, text = cleaned.get(NEW_NAME, ""), cleaned.get(NEW_TEXT, "")
        if text and not name:
            self.add_error(NEW_NAME, "Give the policy a name.")
        elif name:
            self._check(NEW_NAME, lambda: _refuse(accounts.policy_name_problem(name)))
            self._check(NEW_TEXT, lambda: check_policy(text))
            if name in self.instance.policies:
                self.add_error(NEW_NAME, "There is a policy of this name; change it above.")
        return cleaned

    def _check(self, field: str, check: Callable[[], None]) -> None:
        try:
            check()
        except forms.ValidationError as error:
            self.add_error(field, error)

    def changed_policies(self) -> dict[str, str]:
        """Return the policies that were edited, by name; "" for one that is to go."""
        found = {}
        for name, old in self.instance.policies.items():
            field = f"{POLICY_PREFIX}{name}"
            # One that came after the page was opened is not on it, and stays.
            if field in self.cleaned_data and self.add_prefix(field) in self.data:
                text = _newlines(self.cleaned_data[field])
                if text != _newlines(old):
                    found[name] = text
        if self.cleaned_data.get(NEW_NAME):
            found[self.cleaned_data[NEW_NAME]] = _newlines(self.cleaned_data[NEW_TEXT])
        return found


def form_for(user: S3User) -> type[ChangeUserForm]:
    """Return the form of one user, with a text area for each of its policies."""
    areas = {
        f"{POLICY_PREFIX}{name}": forms.CharField(
            label=f"Policy {name}",
            initial=text,
            required=False,
            strip=False,
            widget=forms.Textarea,
            validators=[check_policy],
            help_text="Clear it to take the policy away.",
        )
        for name, text in sorted(user.policies.items())
    }
    return type("UserForm", (ChangeUserForm,), areas)


def check_policy(text: str) -> None:
    """Check an inline policy.

    Raises:
        ValidationError: It is none.
    """
    try:
        accounts.check_user_policy(_newlines(text))
    except Rs3gwError as error:
        raise forms.ValidationError(error.message) from None


def _newlines(text: str) -> str:
    # Browsers send each end of a line as two characters.
    return text.replace("\r\n", "\n")


def _display_name(name: str) -> str:
    if name:
        _refuse(accounts.display_name_problem(name))
    return name


def _email(email: str) -> str:
    _refuse(accounts.email_problem(email))
    return email


def _refuse(problem: str) -> None:
    if problem:
        raise forms.ValidationError(problem)
