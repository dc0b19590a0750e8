"""The CORS rules of a bucket as a result."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neve.cli.output import Result, Style


@dataclass(frozen=True)
class CorsRules(Result):
    """The CORS rules that a bucket has now."""

    kind: ClassVar[str] = "cors"

    bucket: Annotated[str, "alias/bucket"]
    rules: Annotated[list[dict[str, Any]], "the rules, as `CORSRules` of the AWS CLI"]

    def text(self, style: Style) -> str:
        """A paragraph for each rule."""
        name = style.folder(self.bucket)
        if not self.rules:
            return f"{name} has no CORS rules: scripts of other sites cannot use it."
        lines = [f"{name}: the first rule that matches decides."]
        for number, rule in enumerate(self.rules, 1):
            lines += ["", f"  rule {rule.get('ID') or number}"]
            for field, value in rule.items():
                if field != "ID":
                    shown = ", ".join(value) if isinstance(value, list) else value
                    lines.append(f"    {field:<15}  {shown}")
        return "\n".join(lines)
