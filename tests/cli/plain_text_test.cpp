#include "cli/demo/plain_text.h"

#include <gtest/gtest.h>

namespace freshet::demo {
namespace {

TEST(PlainText, OfAManualPageHasNoRoffInIt) {
  EXPECT_EQ(
      tidy(plain_from_roff(R"(.\" -*- coding: UTF-8 -*-
'\" t
.TH FIND 1 "2023" GNU
.SH "NOM ET BUT"
find \- chercher \fIdes\fP fichiers\ ; «\ ici\ »
.SH SYNOPSIS
\fBfind\fR [\-H] \s-1HTML\s0 \(lqquoted\(rq \*(C`code\*(C' \e \&.
.BR ls (1),
.IP "\-P \fIchemin\fP" 4
Ne jamais suivre.
.PP
.nf
.TS
l l.
a table	left out
.TE
.RB [ \-a\ b ]
)")),
      "NOM ET BUT\n\nfind - chercher des fichiers ; « ici »\n\nSYNOPSIS\n\n"
      "find [-H] HTML “quoted” code \\ .\nls(1),\n\n-P chemin\nNe jamais suivre.\n\n[-a b]\n");
}

TEST(PlainText, OfAPerlManualHasNoPodInIt) {
  EXPECT_EQ(tidy(plain_from_pod(R"(=encoding utf8

=head1 NAME B<bold>

See L<perlop> and L<the list|perlfunc/"each">, C<< $a <=> $b >>, I<one B<two>
lines>, 1 E<lt> 2, X<index>F</etc>.

    verbatim B<stays>

=over 4

=item * first

=back

=begin html

<p>left out</p>

=end html

=for comment left out

Last C<< $x->y >> paragraph
)")),
            "NAME bold\n\nSee perlop and the list, $a <=> $b, one two\nlines, 1 < 2, /etc.\n\n"
            "    verbatim B<stays>\n\n* first\n\nLast $x->y paragraph\n");
}

TEST(PlainText, OfADictionaryHasItsEntriesOnly) {
  EXPECT_EQ(tidy(plain_from_dictionary(
                "00-database-info\n  about this file\n\nhack\n\n   [a {kludge}] quick\n   work\n")),
            "hack\n\n   [a kludge] quick\n   work\n");
}

TEST(PlainText, OfFortunesHasNoSeparators) {
  EXPECT_EQ(tidy(plain_from_fortunes("One.\n\t-- A\n%\n100%\n%\nTwo.\n")),
            "One.\n\t-- A\n\n100%\n\nTwo.\n");
}

TEST(PlainText, TidyLeavesOneEmptyLineAndNoControlCharacters) {
  EXPECT_EQ(tidy("\n\n a \r\n\n\n\nb\fc\x01\n\n"), " a\n\nbc\n");
  EXPECT_EQ(tidy(""), "");
}

// Truncated or broken markup must neither hang nor read past its end.
TEST(PlainText, BrokenMarkupIsTextLikeAnyOther) {
  for (const char* broken :
       {"\\", "\\f",    "\\(",    "\\[", "\\*", "\\s",  ".",  ".B",     ".B \"", ".IP \"a",
        "=",  "=head1", "=begin", "B<",  "C<<", "L<a|", "E<", "B<I<x>", "%",     "{"}) {
    SCOPED_TRACE(broken);
    for (auto* convert :
         {plain_from_roff, plain_from_pod, plain_from_dictionary, plain_from_fortunes})
      EXPECT_LE(tidy(convert(broken)).size(), std::string_view(broken).size() + 3);
  }
}

}  // namespace
}  // namespace freshet::demo
