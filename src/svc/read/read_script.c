/* SPDX-License-Identifier: ISC */
/*
 * Finds questions, requests, and greetings in scripts without capital letters: Han, kana, Hangul, Thai, Arabic, Hebrew,
 * and Devanagari. In scripts without blanks, a part of a word is sufficient.
 */
#include "svc/read/read_int.h"

/* Parts of words in questions; names do not contain them. */
static const char *const asking[] = {
    /* Chinese */
    "吗", "呢", "什么", "什麼", "怎么", "怎麼", "怎样",
    "多少", "为什", "为何", "為何", "哪", "谁", "誰", "几点",
    "幾點", "几天", "多久", "如何", "能不能", "可以",
    "有没有", "是不是", "何时", "何時",
    /* Japanese */
    "いつ届", "いつで", "いつに", "いつま", "いつ来", "どこ", "どうし", "どうす", "どうや", "なぜ", "なに", "何時", "いくら",
    "ですか", "ますか", "ませんか", "誰が",
    /* Korean */
    "언제", "어디", "무엇", "뭐", "어떻", "누구", "얼마",
    "몇시", "나요", "인가요", "니까", "어떤", "왜",
    /* Thai */
    "ไหม", "มั้ย", "อะไร", "เท่าไ",
    "กี่", "ทำไม", "เมื่อไ", "ที่ไหน",
    "อย่างไร", "ยังไง", "ใคร",
    "หรือ"};

/* Parts of words in other sentences. */
static const char *const talking[] = {
    /* Chinese */
    "我", "你", "您", "他", "她", "的", "了", "吧", "订单", "訂單",
    "退款", "退货", "退貨", "快递", "发货", "到货", "包裹",
    "客服", "开门", "营业", "时间", "時間", "价格", "便宜",
    "电话", "地址", "请问", "帮忙", "帮我", "没有", "不想",
    "不要", "不知", "查询", "查一", "投诉", "多谢", "店", "货",
    /* Japanese */
    "です", "きます", "ります", "します", "ません", "ください", "したい",
    "注文", "返品", "返金", "配送", "営業", "荷物", "届き",
    "ありがと", "こんにち", "すみませ", "助けて",
    "って",
    /* Korean */
    "해요", "합니", "습니", "주세", "싶어", "주문", "환불",
    "배송", "반품", "영업", "가격", "도착", "상담", "시간",
    "없어", "감사",
    /* Thai */
    "สวัส", "ขอบ", "ต้อง", "อยาก",
    "ช่วย", "สั่ง", "พัสดุ", "คืนเง",
    "เปิด", "ราคา", "ไม่", "ของ",
    "จัดส่ง", "ส่งของ"};

/* Whole words in questions. */
static const char words_asking[] =
    /* Arabic, Persian, Urdu */
    " متى متي أين اين وين فين "
    "كيف لماذا ليش ماذا ما هل "
    "كم من أي شو ايه چرا کجا "
    "کی آیا کیا "
    /* Hebrew */
    "מתי איפה היכן למה מדוע "
    "איך כיצד מה מי כמה האם "
    /* Hindi */
    "कब कहाँ कहां क्या क्यों "
    "कैसे कौन कितना कितने ";

static const char words_talking[] =
    /* Arabic */
    " أريد اريد طلبي الطلب "
    "طلبيتي يصل السعر شكرا "
    "شكراً مساعدة مرحبا "
    "السلام لا لم نعم مش موظف "
    /* Hebrew */
    "רוצה ההזמנה הזמנה שלי "
    "תודה שלום עזרה החבילה "
    "ההחזר לא כן נציג "
    /* Hindi */
    "मुझे मेरा मदद ऑर्डर "
    "नहीं धन्यवाद ";

static bool has_part(struct pl_str word, const char *const *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (memmem(word.ptr, word.len, parts[i], strlen(parts[i])) != NULL)
			return true;
	return false;
}

/* No part of them is ASCII. */
static bool is_foreign(struct pl_str word)
{
	return word.len > 0 && (unsigned char)word.ptr[0] >= 0xd0;
}

bool script_asks(struct pl_str word)
{
	return is_foreign(word) && (has_part(word, asking, PL_COUNT(asking)) || word_in(words_asking, word));
}

bool script_talks(struct pl_str word)
{
	return is_foreign(word) &&
	    (script_asks(word) || has_part(word, talking, PL_COUNT(talking)) || word_in(words_talking, word));
}
